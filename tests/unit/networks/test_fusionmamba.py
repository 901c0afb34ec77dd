import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from volfuse.networks import FusionMamba
from volfuse.networks.complexity import count_multiply_adds, count_parameters
from volfuse.networks.fusionmamba.blocks import (
    DVSS,
    ChannelGate,
    DescriptiveConv,
    EfficientChannelAttention,
    make_block,
)
from volfuse.networks.fusionmamba.fusion import make_fusion
from volfuse.networks.fusionmamba.network import PatchExpand, PatchMerge
from volfuse.networks.fusionmamba.scan2d import ES2D, CrossES2D, GridScan, merge_grids, split_grids
from volfuse.networks.layers.selective_scan import selective_scan

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


def test_sub_grids_are_read_by_row_or_by_column() -> None:
    image = torch.arange(16).view(1, 4, 4, 1)
    expected = [[0, 2, 8, 10], [4, 12, 6, 14], [1, 3, 9, 11], [5, 13, 7, 15]]
    assert split_grids(image)[0, :, :, 0].tolist() == expected


def test_sub_grids_of_odd_sizes_are_padded_with_zeros_at_the_end() -> None:
    image = torch.arange(1, 16).view(1, 3, 5, 1)
    expected = [[1, 3, 5, 11, 13, 15], [6, 0, 8, 0, 10, 0], [2, 4, 0, 12, 14, 0], [7, 0, 9, 0, 0, 0]]
    assert split_grids(image)[0, :, :, 0].tolist() == expected


@pytest.mark.parametrize("size", [(1, 1), (2, 6), (3, 5), (8, 7)])
def test_merged_sub_grids_are_the_image_again(size: tuple[int, int]) -> None:
    image = torch.rand(2, *size, 3)
    assert torch.equal(merge_grids(split_grids(image), *size), image)


def scan_by_hand(layer: GridScan, image: Tensor) -> Tensor:
    """Every sub-grid by itself, from the image and back into it by strides."""
    scanned = torch.empty_like(image)
    for index, (row, column) in enumerate([(0, 0), (1, 0), (0, 1), (1, 1)]):
        part = image[:, row::2, column::2]
        turned = part.transpose(1, 2) if row else part
        tokens = turned.flatten(1, 2)
        projected = tokens @ layer.project[index]
        rank, states, _ = layer.split_sizes
        steps = projected[..., :rank] @ layer.step_weight[index] + layer.step_bias[index]
        outputs = selective_scan(
            tokens[:, None],
            (1 + steps.exp()).log()[:, None],
            -layer.state_matrix_log[index : index + 1].exp(),
            projected[:, None, :, rank : rank + states],
            projected[:, None, :, rank + states :],
            backend="reference",
        )[:, 0]
        outputs = (outputs + layer.skip[index] * tokens).unflatten(1, turned.shape[1:3])
        scanned[:, row::2, column::2] = outputs.transpose(1, 2) if row else outputs
    return F.layer_norm(scanned, scanned.shape[-1:], layer.norm.weight, layer.norm.bias)


def depthwise(layer: ES2D | CrossES2D, image: Tensor) -> Tensor:
    """3x3 depthwise convolution and SiLU, tap by tap."""
    padded = F.pad(image, (0, 0, 1, 1, 1, 1))
    height, width = image.shape[1:3]
    total = layer.conv.conv.bias
    for row in range(3):
        for column in range(3):
            tap = layer.conv.conv.weight[:, 0, row, column]
            total = total + tap * padded[:, row : row + height, column : column + width]
    return total * total.sigmoid()


def test_the_scan_of_one_image_follows_its_definition() -> None:
    layer = ES2D(6, 4)
    image = torch.randn(2, 6, 8, 6)
    values, gate = (image @ layer.enter.weight.T).split(12, dim=-1)
    expected = (
        scan_by_hand(layer.scan, depthwise(layer, values)) * gate * gate.sigmoid() @ layer.leave.weight.T
    )
    torch.testing.assert_close(layer(image), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("official_gate", [False, True])
def test_the_scan_of_two_images_together_follows_equations_6_and_7(official_gate: bool) -> None:
    layer = CrossES2D(6, 4, official_gate)
    first, second = torch.randn(2, 1, 4, 6, 6)
    a, first_gate = (first @ layer.enter_first.weight.T).split(12, dim=-1)
    b, second_gate = (second @ layer.enter_second.weight.T).split(12, dim=-1)
    a, b = depthwise(layer, a), depthwise(layer, b)
    common = scan_by_hand(layer.scan, a * b + a + b)
    first_gate = first_gate * first_gate.sigmoid()
    if official_gate:
        second_gate = first_gate
    second_gate = second_gate * second_gate.sigmoid()
    expected = (common * first_gate + common * second_gate) @ layer.leave.weight.T
    torch.testing.assert_close(layer(first, second), expected, rtol=0, atol=1e-6)


def test_step_sizes_start_between_a_thousandth_and_a_tenth_and_decays_at_one_to_n() -> None:
    layer = GridScan(200, 4, 5)
    steps = F.softplus(layer.step_bias)
    assert 0.001 <= steps.min() < 0.0015 and 0.05 < steps.max() <= 0.1
    torch.testing.assert_close(layer.state_matrix_log.exp()[3, :, 7], torch.arange(1.0, 6.0))
    assert layer.skip.eq(1).all()


def test_descriptive_convolution_takes_a_share_of_its_sum_from_the_centre() -> None:
    layer = DescriptiveConv(3)
    layer.mask.data.uniform_(0.5, 2)
    layer.theta.data.fill_(0.3)
    kernel = layer.weight.detach().clone()
    kernel[:, :, 1, 1] *= 1 - 0.3 * layer.mask[:, :, 0, 0].detach() * kernel.sum((2, 3))
    image = torch.randn(2, 5, 7, 3)
    expected = F.conv2d(image.permute(0, 3, 1, 2), kernel, padding=1).permute(0, 2, 3, 1)
    torch.testing.assert_close(layer(image), expected, rtol=0, atol=1e-6)


def test_efficient_channel_attention_weighs_by_three_neighbouring_means() -> None:
    layer = EfficientChannelAttention()
    layer.conv.weight.data = torch.tensor([[[0.5, -1.0, 2.0]]])
    image = torch.tensor([1.0, 2.0, 4.0]).expand(1, 2, 2, 3)
    weights = torch.tensor([-1 + 2 * 2, 0.5 * 1 - 2 + 2 * 4, 0.5 * 2 - 4.0]).sigmoid()
    torch.testing.assert_close(layer(image), image * weights)


def test_a_gate_of_zero_weights_halves_every_channel() -> None:
    layer = ChannelGate(16)
    for parameter in layer.expand.parameters():
        parameter.data.zero_()
    image = torch.randn(1, 4, 4, 16)
    torch.testing.assert_close(layer(image), image / 2)


def test_one_gate_weighs_the_scan_and_what_describes_it() -> None:
    layer = DVSS(8, 3)
    image = torch.randn(2, 4, 4, 8)
    scanned = layer.scan(F.layer_norm(image, (8,)))
    described = layer.describe(scanned + layer.attention(scanned))
    torch.testing.assert_close(layer(image), layer.gate(scanned) + layer.gate(described))


def test_the_paper_adds_the_enhanced_features_where_the_code_adds_the_inputs() -> None:
    official = make_fusion("dffm", 8, 3, "official", official_gate=False)
    paper = make_fusion("dffm", 8, 3, "paper", official_gate=False)
    paper.load_state_dict(official.state_dict())
    first, second = torch.randn(2, 1, 4, 6, 8)
    enhanced = official.enhance(first, second)
    difference = sum(enhanced) - first - second
    torch.testing.assert_close(paper(first, second) - official(first, second), difference, rtol=0, atol=1e-5)
    # D1 and D2 written out; the gates of both add up to one.
    gate = (first - second).mean((1, 2), keepdim=True).sigmoid()
    texture = official.enhance.describe_first(first), official.enhance.describe_second(second)
    torch.testing.assert_close(enhanced[0], texture[0] + gate * (first + second) + first)
    torch.testing.assert_close(enhanced[1], texture[1] + (1 - gate) * (first + second) + second)


def test_patches_merge_in_the_order_of_the_authors_weights() -> None:
    layer = PatchMerge(3)
    image = torch.randn(1, 4, 6, 3)
    corners = [image[:, row::2, column::2] for row, column in ((0, 0), (1, 0), (0, 1), (1, 1))]
    expected = F.layer_norm(torch.cat(corners, -1), (12,)) @ layer.reduce.weight.T
    torch.testing.assert_close(layer(image), expected)


def test_expanded_channels_become_blocks_of_pixels() -> None:
    layer = PatchExpand(8, 2)
    layer.expand.weight.data = torch.eye(8).repeat(2, 1)
    image = torch.randn(1, 1, 1, 8)
    blocks = F.layer_norm(torch.cat([image[0, 0, 0], image[0, 0, 0]]).view(2, 2, 4), (4,))
    torch.testing.assert_close(layer(image)[0], blocks)


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


@pytest.mark.parametrize("kind", ["official", "paper", "evss", "transformer"])
def test_blocks_keep_odd_sizes(kind: str) -> None:
    assert make_block(kind, 8, 3)(torch.randn(2, 3, 5, 8)).shape == (2, 3, 5, 8)
