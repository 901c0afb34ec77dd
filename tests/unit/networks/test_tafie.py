import copy
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from volfuse.networks.complexity import count_multiply_adds, count_parameters
from volfuse.networks.tafie import TAFIE
from volfuse.networks.tafie.blocks import EntropyAttention
from volfuse.networks.tafie.token_transformer import TopKTransformer

ELEVEN = {"num_inputs": 11, "share_encoders": True}
NO_ENTROPY = {"entropy_encdec": False, "entropy_fusion": False}
# Options, parameters counted by hand; parameters (millions) and multiply-adds (billions at 256x256) of the paper.
COSTS = [
    ({}, 1_094_032, 1.09, 108.14),
    ({"use_global": False}, 878_412, 0.88, 57.55),
    ({"use_local": False}, 772_999, 0.77, 50.60),
    ({"residual_block": False}, 890_320, 0.89, 94.77),
    ({"edge_encoder": False}, 1_092_112, 1.09, 108.03),
    ({"fusion_transformer": False}, 946_191, 0.95, 88.79),
    (NO_ENTROPY, 997_072, 1.00, 96.89),
    ({"entropy_encdec": False}, 1_071_184, 1.07, 106.63),
    ({"entropy_fusion": False}, 1_019_920, 1.02, 98.40),
    (ELEVEN, 17_300_180, 17.30, 2284.81),
]
# The same where the paper prints something else or nothing.
OTHER_COSTS = [
    ({"dynamic_conv": False}, 1_092_360, 1_648_517),
    ({"topk": 4}, 1_094_032, 1_650_119),
    ({"num_heads": 16}, 1_094_032, 1_650_119),
    ({"embed_dim": 48}, 310_864, 450_695),
    ({"embed_dim": 192}, 4_208_656, 6_426_695),
    ({"share_fusion": False}, 1_651_411, 1_650_119),
    ({"num_inputs": 11}, 18_033_670, 34_863_485),
]
SMALL = {"embed_dim": 16, "num_heads": 4}


class WrittenOutEntropy(nn.Module):
    """Entropy attention formula by formula; the paper guards the logarithm with ``epsilon`` = 1e-6."""

    epsilon = 0.0

    def __init__(self, fast: EntropyAttention) -> None:
        super().__init__()
        self.refine = fast.refine
        self.softmax = nn.Softmax(dim=1)

    def forward(self, features: Tensor) -> Tensor:
        probabilities = self.softmax(features)
        entropy = -(probabilities * (probabilities + self.epsilon).log()).sum(1, keepdim=True)
        return self.refine(features * entropy) + features


class WrittenOutTransformer(nn.Module):
    """Token transformer formula by formula: queries, keys, values and outputs of every token."""

    def __init__(self, fast: TopKTransformer) -> None:
        super().__init__()
        self.qkv, self.importance, self.project = fast.qkv, fast.importance, fast.project
        self.num_heads, self.topk, self.score_gate = fast.num_heads, fast.topk, fast.score_gate

    def forward(self, features: Tensor) -> Tensor:
        tokens = features.flatten(2).transpose(1, 2)
        query, key, value = self.qkv(tokens).chunk(3, dim=2)
        scores = self.importance(tokens)
        best = scores.topk(self.topk, dim=1).indices.expand(-1, -1, tokens.shape[2])
        if self.score_gate:
            value = value * scores.sigmoid()
        key, value = key.gather(1, best), value.gather(1, best)
        heads = []
        for q, k, v in zip(*(part.chunk(self.num_heads, dim=2) for part in (query, key, value)), strict=True):
            heads.append((q @ k.transpose(1, 2) / math.sqrt(q.shape[2])).softmax(dim=2) @ v)
        attended = self.project(torch.cat(heads, dim=2))
        return features + attended.transpose(1, 2).reshape(features.shape)


WRITTEN_OUT = {EntropyAttention: WrittenOutEntropy, TopKTransformer: WrittenOutTransformer}


def written_out(network: TAFIE) -> TAFIE:
    """The same network and weights, computed formula by formula."""
    twin = copy.deepcopy(network)
    for module in list(twin.modules()):
        for name, child in list(module.named_children()):
            if type(child) in WRITTEN_OUT:
                setattr(module, name, WRITTEN_OUT[type(child)](child))
    return twin


def with_fixed_statistics(network: TAFIE) -> TAFIE:
    """Fix batch normalisation to statistics of some batch; a bias before it would not learn otherwise."""
    network.train()(torch.rand(2, network.num_sources, 24, 24))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    return network


def multiply_adds_per_pixel(network: TAFIE) -> float:
    return count_multiply_adds(network, network.num_sources, 16, 16) / 16**2


@pytest.mark.parametrize(("options", "parameters", "millions", "billions"), COSTS)
def test_costs_are_the_published_ones(
    options: dict, parameters: int, millions: float, billions: float
) -> None:
    network = TAFIE(**options)
    assert count_parameters(network) == parameters
    assert round(parameters / 1e6, 2) == millions
    assert multiply_adds_per_pixel(network) * 256**2 / 1e9 == pytest.approx(billions, abs=0.01)


@pytest.mark.parametrize(("options", "parameters", "per_pixel"), OTHER_COSTS)
def test_costs_the_paper_does_not_explain_are_those_counted_by_hand(
    options: dict, parameters: int, per_pixel: int
) -> None:
    network = TAFIE(**options)
    assert count_parameters(network) == parameters
    assert multiply_adds_per_pixel(network) == pytest.approx(per_pixel, abs=1)


@pytest.mark.parametrize("options", [{}, {"num_inputs": 3, "share_encoders": True}])
def test_the_stated_cost_of_the_fast_form_is_that_of_the_formulas(options: dict) -> None:
    network = TAFIE(**options)
    assert multiply_adds_per_pixel(network) == multiply_adds_per_pixel(written_out(network))


@pytest.mark.parametrize(
    "options", [{}, {"topk": 4}, {"num_heads": 16}, {"score_gate": True}, {"num_inputs": 3, **SMALL}]
)
def test_the_fast_form_equals_the_formulas(options: dict) -> None:
    network = with_fixed_statistics(TAFIE(**options)).eval()
    sources = torch.rand(2, network.num_sources, 21, 18)
    torch.testing.assert_close(network(sources), written_out(network)(sources), rtol=0, atol=2e-6)


def test_the_published_guard_of_the_logarithm_moves_the_image_by_less_than_a_hundredth_of_a_gray_level(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(WrittenOutEntropy, "epsilon", 1e-6)
    network = with_fixed_statistics(TAFIE()).eval()
    sources = torch.rand(2, 2, 21, 18)
    torch.testing.assert_close(network(sources), written_out(network)(sources), rtol=0, atol=0.01 / 255)


def test_the_fast_form_learns_what_the_formulas_learn() -> None:
    network = with_fixed_statistics(TAFIE(score_gate=True, **SMALL))
    twin = written_out(network)
    sources = torch.rand(2, 2, 20, 20)
    for one in (network, twin):
        one(sources).square().mean().backward()
    learned = dict(twin.named_parameters())
    for name, parameter in network.named_parameters():
        scale = parameter.grad.abs().max().item()
        torch.testing.assert_close(learned[name].grad, parameter.grad, rtol=0, atol=1e-4 * scale, msg=name)


@pytest.mark.parametrize("options", [options for options, *_ in COSTS[:-1] + OTHER_COSTS[:3]])
@pytest.mark.parametrize("score_gate", [False, True])
def test_every_parameter_learns_but_scores_without_a_gate(options: dict, score_gate: bool) -> None:
    network = with_fixed_statistics(TAFIE(**{**SMALL, **options, "score_gate": score_gate}))
    network(torch.rand(2, 2, 16, 16)).square().sum().backward()
    without = {name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()}
    scores = {name for name, _ in network.named_parameters() if "importance" in name}
    assert without == (set() if score_gate else scores)


@pytest.mark.parametrize("share_encoders", [True, False])
def test_reordered_sources_with_reordered_weights_give_the_same_image(share_encoders: bool) -> None:
    network = TAFIE(3, share_encoders=share_encoders, **SMALL).eval()
    order = [2, 0, 1]
    reordered = copy.deepcopy(network)
    if not share_encoders:
        for path, encoders in reordered.encoders.items():
            reordered.encoders[path] = nn.ModuleList(encoders[index] for index in order)
    first, *_, last, _ = reordered.fusions["shared"].weigh
    first.weight.data = first.weight.data.unflatten(1, (3, -1))[:, order].flatten(1, 2)
    last.weight.data, last.bias.data = last.weight.data[order], last.bias.data[order]

    sources = torch.rand(1, 3, 20, 24)
    fused, maps = network(sources, return_maps=True)
    fused_again, maps_again = reordered(sources[:, order], return_maps=True)
    torch.testing.assert_close(fused_again, fused, rtol=0, atol=1e-5)
    for path in ("local_path", "global_path"):
        torch.testing.assert_close(maps_again[path], maps[path][:, order], rtol=0, atol=1e-5)


@pytest.mark.parametrize("num_inputs", [2, 5])
def test_maps_are_shares_that_sum_to_one_and_cost_the_image_nothing(num_inputs: int) -> None:
    network = TAFIE(num_inputs, **SMALL).eval()
    sources = torch.rand(2, num_inputs, 15, 18)
    fused, maps = network(sources, return_maps=True)
    assert torch.equal(fused, network(sources))
    assert list(maps) == ["local_path", "global_path"]
    for weights in maps.values():
        assert weights.shape == (2, num_inputs, 15, 18)
        assert weights.min() >= 0
        torch.testing.assert_close(weights.sum(1), torch.ones(2, 15, 18))


@pytest.mark.parametrize("num_inputs", [2, 5])
def test_contributions_divide_the_fused_image_by_the_weights(num_inputs: int) -> None:
    network = TAFIE(num_inputs, **SMALL).eval()
    sources = torch.rand(2, num_inputs, 15, 18)
    fused, maps = network(sources, return_maps=True)
    contributions = network.contributions(sources)
    assert contributions.shape == sources.shape
    assert torch.equal(contributions.sum(1, keepdim=True).float(), fused.clamp(0, 1))
    shares = (maps["local_path"] + maps["global_path"]) / 2
    torch.testing.assert_close(contributions.float(), fused.clamp(0, 1) * shares)


def test_a_path_that_is_left_out_has_no_map() -> None:
    _, maps = TAFIE(use_local=False, **SMALL)(torch.rand(1, 2, 8, 8), return_maps=True)
    assert list(maps) == ["global_path"]


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 5), (33, 64), (101, 77)])
@pytest.mark.parametrize("num_inputs", [2, 3])
def test_any_size_and_number_of_sources_give_one_image_of_that_size(
    size: tuple[int, int], num_inputs: int
) -> None:
    fused = TAFIE(num_inputs, share_encoders=num_inputs > 2, **SMALL).eval()(torch.rand(1, num_inputs, *size))
    assert fused.shape == (1, 1, *size)
    assert fused.isfinite().all()


@pytest.mark.parametrize("options", [{}, {"num_inputs": 3, "share_encoders": True}])
def test_slices_of_a_batch_do_not_see_each_other(options: dict) -> None:
    network = TAFIE(**SMALL, **options).eval()
    batch = torch.rand(4, network.num_sources, 24, 20)
    alone = torch.cat([network(one[None]) for one in batch])
    torch.testing.assert_close(network(batch), alone, rtol=0, atol=1e-5)


def test_the_same_weights_give_the_same_image_as_ever() -> None:
    network = TAFIE(**SMALL).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            waves = torch.sin(torch.arange(parameter.numel()).square() * 0.37)
            parameter.copy_(waves.view(parameter.shape) / max(1, parameter[0].numel()) ** 0.5)
        fused = network(torch.sin(torch.arange(2 * 12 * 16.0).square() * 0.11).view(1, 2, 12, 16).abs())
    golden = torch.tensor([-1.24568, 1.44286, 0.97959])
    torch.testing.assert_close(fused[0, 0, [0, 5, 11], [0, 9, 15]], golden, rtol=1e-4, atol=1e-4)


def test_an_exported_network_takes_other_sizes(tmp_path: Path) -> None:
    network = TAFIE(**SMALL).eval()
    torch.jit.trace(network, torch.rand(1, 2, 24, 24)).save(tmp_path / "model.ts")
    traced = torch.jit.load(tmp_path / "model.ts")
    sources = torch.rand(2, 2, 31, 17)
    torch.testing.assert_close(traced(sources), network(sources), rtol=0, atol=1e-5)


def test_half_precision_keeps_50_decibels_and_black_slices_finite() -> None:
    network = with_fixed_statistics(TAFIE()).eval()
    sources = torch.rand(3, 2, 24, 24)
    sources[1] = 0
    with torch.no_grad():
        exact = network(sources)
        with torch.autocast("cpu", torch.bfloat16):
            fused = network(sources).float()
    assert fused.isfinite().all()
    assert -10 * (fused - exact).square().mean().log10() >= 50


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_inputs": 1}, "num_inputs must be at least 2, not 1"),
        ({"num_heads": 7}, "embed_dim must be a multiple of num_heads, not 96 with 7 heads"),
        ({"embed_dim": 0}, "embed_dim must be a multiple of num_heads, not 0 with 8 heads"),
        ({"topk": 0}, "topk must be at least 1, not 0"),
        ({"use_local": False, "use_global": False}, "use_local and use_global cannot both be False"),
    ],
)
def test_options_that_fit_no_network_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        TAFIE(**options)


@pytest.mark.parametrize("share_encoders", [True, False])
def test_another_number_of_sources_is_refused(share_encoders: bool) -> None:
    with pytest.raises(ValueError, match="^this TAFIE fuses 2 sources, not 3$"):
        TAFIE(share_encoders=share_encoders, **SMALL)(torch.rand(1, 3, 8, 8))
