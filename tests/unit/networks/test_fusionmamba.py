import pytest
import torch
import torch.nn.functional as F

from volfuse.networks import FusionMamba
from volfuse.networks.complexity import count_multiply_adds, count_parameters
from volfuse.networks.fusionmamba.blocks import (
    DescriptiveConv,
)
from volfuse.networks.fusionmamba.scan2d import CrossES2D

TINY = {"depths": (2, 2, 1, 2)}
SMALL = {"channels": 16, "depths": (1, 1), "state_size": 3}
# Options and parameters, counted by hand for the first and the second.
PARAMETERS = [
    ({}, 164_146_245),
    (TINY, 101_894_405),
    ({"use_first_skip": False}, 163_819_456),
    ({"official_gate": True}, 164_146_245),
    ({"block": "paper"}, 121_173_717),
    ({"block": "evss"}, 113_613_501),
    ({"block": "transformer"}, 90_563_037),
    ({"fusion": "dvss"}, 159_653_621),
    ({"fusion": "no_dfem"}, 148_479_037),
    ({"fusion": "no_cmfm"}, 154_912_953),
    ({"channels": 16, "depths": (1, 1, 2)}, 869_096),
]
OPTIONS = [options for options, _ in PARAMETERS[2:10]]


def without_memory(**options: object) -> FusionMamba:
    """The network with shapes but no values: counting needs no more."""
    with torch.device("meta"):
        return FusionMamba(**options)


@pytest.mark.parametrize(("options", "parameters"), PARAMETERS)
def test_parameters_are_those_counted(options: dict, parameters: int) -> None:
    assert count_parameters(without_memory(**options)) == parameters


def test_with_the_parameters_that_never_train_the_count_is_the_published_one() -> None:
    network = without_memory()
    convolutions = [module for module in network.modules() if isinstance(module, DescriptiveConv)]
    all_ones = sum(convolution.weight.numel() for convolution in convolutions)
    unused = sum(width * width // 2 + width // 2 for width in (96, 192, 384, 768))
    assert count_parameters(network) + unused + all_ones == 225_419_541  # printed: 225.42 M


@pytest.mark.parametrize(("options", "billions"), [({}, 26.477), (TINY, 13.690)])
def test_multiply_adds_are_the_published_ones(options: dict, billions: float) -> None:
    assert count_multiply_adds(without_memory(**options)) / 1e9 == pytest.approx(billions, abs=5e-4)


@pytest.mark.parametrize("options", [{}, *OPTIONS])
def test_every_parameter_learns(options: dict) -> None:
    network = FusionMamba(**{**SMALL, **options}, drop_path=0.0)
    network(torch.rand(2, 2, 16, 24)).square().sum().backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


@pytest.mark.parametrize("official_gate", [False, True])
def test_the_official_gate_leaves_half_of_a_projection_without_effect(official_gate: bool) -> None:
    layer = CrossES2D(8, 3, official_gate)
    layer(*torch.randn(2, 1, 4, 4, 8)).square().sum().backward()
    _, of_gate = layer.enter_second.weight.grad.chunk(2)
    assert of_gate.any().item() == (not official_gate)


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (32, 32), (33, 64), (101, 77), (300, 300)])
def test_any_size_gives_that_size_within_the_unit_range(size: tuple[int, int]) -> None:
    network = FusionMamba(**SMALL).eval()
    with torch.no_grad():
        fused = network(torch.rand(1, 2, *size))
    assert fused.shape == (1, 1, *size)
    assert fused.min() >= 0 and fused.max() <= 1


@torch.no_grad()
def test_other_sizes_are_reflected_to_the_right_and_below_and_cropped() -> None:
    network = FusionMamba(**SMALL, residual_scale=0).eval()
    sources = torch.rand(1, 2, 29, 20)
    padded = F.pad(sources, (0, 4, 0, 3), mode="reflect")
    assert network.divisor == 8
    torch.testing.assert_close(network(sources), network(padded)[..., :29, :20])


@torch.no_grad()
def test_slices_of_a_batch_do_not_see_each_other() -> None:
    network = FusionMamba(**SMALL).eval()
    batch = torch.rand(4, 2, 24, 20) / 4
    alone = torch.cat([network(one[None]) for one in batch])
    torch.testing.assert_close(network(batch), alone, rtol=0, atol=1e-6)


@torch.no_grad()
def test_the_sum_of_the_sources_is_added_and_clamped_in_evaluation_only() -> None:
    network = FusionMamba(**SMALL, residual_scale=1.5)
    network.output.weight.zero_()
    network.output.bias.fill_(-0.25)
    sources = torch.rand(1, 2, 8, 8)
    sources[..., 0, 0] = 0
    result = 1.5 * (sources[:, :1] + sources[:, 1:]) - 0.25
    torch.testing.assert_close(network.train()(sources), result)
    torch.testing.assert_close(network.eval()(sources), result.clamp(0, 1))
    assert result.min() < 0 and result.max() > 1


@torch.no_grad()
def test_stochastic_depth_is_for_training_only_and_spares_the_first_block() -> None:
    network = FusionMamba(**SMALL, drop_path=0.5)
    rates = [block.drop_path.drop_prob for stage in network.encoder for block in stage]
    assert rates == pytest.approx([0, 0.5])
    sources = torch.rand(1, 2, 16, 16)
    assert torch.equal(network.eval()(sources), network(sources))
    network.train()
    assert len({network(sources).sum().item() for _ in range(20)}) > 1


@torch.no_grad()
def test_without_the_first_skip_the_finest_fused_features_are_not_used() -> None:
    used, unused = (FusionMamba(**SMALL, use_first_skip=first, residual_scale=0) for first in (True, False))
    unused.load_state_dict(used.state_dict(), strict=False)
    sources = torch.rand(1, 2, 16, 16)
    assert not torch.equal(used.train()(sources), unused.train()(sources))
    used.fusions[0] = torch.nn.Module()
    used.fusions[0].forward = lambda first, second: 0 * first
    for network in (used, unused):
        network.eval()
        network.output.bias.fill_(0.5)
    torch.testing.assert_close(used(sources), unused(sources))


@torch.no_grad()
def test_the_same_weights_give_the_same_image_as_ever() -> None:
    network = FusionMamba(**SMALL, drop_path=0.0, residual_scale=0).train()
    for parameter in network.parameters():
        waves = torch.sin(torch.arange(parameter.numel()).square() * 0.37)
        fan_in = parameter[0].numel() if parameter.ndim else 1
        parameter.copy_(waves.view(parameter.shape) / fan_in**0.5)
    fused = network(torch.sin(torch.arange(2 * 16 * 16.0).square() * 0.11).view(1, 2, 16, 16).abs())
    golden = torch.tensor([-0.01241, 1.24295, 1.02161])
    torch.testing.assert_close(fused[0, 0, [0, 5, 15], [1, 9, 14]], golden, rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")  # what it warns of holds: one size only
def test_a_traced_network_computes_the_same_on_its_size_with_and_without_gradients() -> None:
    network = FusionMamba(**SMALL).eval()
    sources = torch.rand(1, 2, 12, 8) / 4
    with torch.no_grad():
        traced = torch.jit.trace(network, torch.rand(1, 2, 12, 8), check_trace=False)
        torch.testing.assert_close(traced(sources), network(sources), rtol=0, atol=1e-5)
    torch.testing.assert_close(traced(sources), network(sources), rtol=0, atol=1e-5)


@torch.no_grad()
def test_half_precision_keeps_50_decibels_and_black_slices_finite() -> None:
    network = FusionMamba(channels=16, depths=(1, 1, 2)).eval()
    network.output.weight.mul_(
        0.25
    )  # a correction of the size that training leaves, not noise of full strength
    sources = torch.rand(2, 2, 32, 32) / 4
    sources[1] = 0
    exact = network(sources)
    with torch.autocast("cpu", torch.bfloat16):
        fused = network(sources).float()
    assert fused.isfinite().all()
    assert -10 * (fused - exact).square().mean().log10() >= 50


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: FusionMamba(block="mamba"),
            "block must be 'official', 'paper', 'evss' or 'transformer', not 'mamba'",
        ),
        (
            lambda: FusionMamba(**SMALL, fusion="sum"),
            "fusion must be 'dffm', 'dvss', 'no_dfem' or 'no_cmfm', not 'sum'",
        ),
    ],
)
def test_options_that_name_nothing_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        make()
