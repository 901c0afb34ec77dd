import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

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


@pytest.mark.parametrize("kind", ["official", "paper", "evss", "transformer"])
def test_blocks_keep_odd_sizes(kind: str) -> None:
    assert make_block(kind, 8, 3)(torch.randn(2, 3, 5, 8)).shape == (2, 3, 5, 8)
