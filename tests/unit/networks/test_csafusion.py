import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from volfuse.networks import CSAFusion
from volfuse.networks.complexity import count_multiply_adds, count_parameters
from volfuse.networks.csafusion import AdaptiveConv, GlobalBlock, SwinStage
from volfuse.networks.layers.attention import ChannelAttention

SMALL = {"channels": (16, 16, 32)}
OPTIONS = [
    {},
    {"dual_fusion": False},
    {"attention": False},
    {"adaptive_swin": False},
    {"adaptive_stem": True},
]
# Squeeze and excitation of 32, 64 and 128 channels: two, three and three of them; spatial attention.
ATTENTION = 2 * (128 + 34) + 3 * (512 + 68) + 3 * (2048 + 136) + 98


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def with_random_statistics(module: nn.Module) -> nn.Module:
    """Make the running averages of batch normalisation differ from 0 and 1, as those of a trained network do."""
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            norm.running_mean.normal_(std=0.1)
            norm.running_var.uniform_(0.5, 1.5)
    return module.eval()


@pytest.mark.parametrize(
    ("options", "parameters"),
    [
        ({}, 576994),
        ({"channels": (16, 32, 64)}, 148782),
        ({"channels": (64, 128, 256)}, 2283978),
        ({"attention": False}, 576994 - ATTENTION),
        # A second and third convolution takes all channels of the one before; two fusion modules less.
        (
            {"dual_fusion": False},
            576994 + 9 * (32 * 64 + 2 * 64 * 128) - (128 * 64 + 384 * 128) - 2 * (64 + 128),
        ),
        # Without the gates of one convolution and four tables of relative positions.
        ({"adaptive_swin": False}, 576994 - 583 - 4 * 900),
        ({"adaptive_stem": True}, 576994 + 583 + 135 + 4 + 4 + 64 + 64),
    ],
)
def test_parameters_are_those_counted_by_hand(options: dict, parameters: int) -> None:
    assert count_parameters(CSAFusion(**options)) == parameters


@pytest.mark.parametrize(("channels", "billions"), [((16, 32, 64), 2.18), ((32, 64, 128), 8.52)])
def test_multiply_adds_are_those_of_the_documentation(channels: tuple[int, ...], billions: float) -> None:
    assert round(count_multiply_adds(CSAFusion(channels)) / 1e9, 2) == billions


def test_an_adaptive_convolution_has_583_parameters_more_than_a_plain_one() -> None:
    assert count_parameters(AdaptiveConv(32, 32)) == 32 * 32 * 9 + 583


def adaptive_conv_oracle(conv: AdaptiveConv, image: Tensor) -> Tensor:
    """One image (C, H, W): the gates channel by channel, then unfolding and one matrix product."""
    code = F.adaptive_avg_pool2d(image, 3).flatten(1) @ conv.encode.weight.T
    channels, group = len(image), conv.group

    def norm(values: Tensor, layer: nn.BatchNorm1d) -> Tensor:
        scale = layer.weight / (layer.running_var + layer.eps).sqrt()
        return ((values - layer.running_mean[:, None]) * scale[:, None] + layer.bias[:, None]).relu()

    of_input = norm(code, conv.input_norm) @ conv.decode_input.weight.T
    mixable = norm(code, conv.mix_norm)
    mixed = torch.cat(
        [conv.mix.weight @ mixable[start : start + group] for start in range(0, channels, group)]
    )
    of_output = norm(mixed, conv.output_norm) @ conv.decode_output.weight.T
    kernels = conv.weight.flatten(2) * torch.sigmoid(of_input[None] + of_output[:, None])
    return (kernels.flatten(1) @ F.unfold(image, 3, padding=1)).unflatten(1, image.shape[1:])


@pytest.mark.parametrize("channels", [(2, 32), (16, 48), (32, 32), (64, 32)])
@pytest.mark.parametrize("size", [(1, 2), (17, 40), (32, 32)])
def test_grouped_convolution_equals_unfolding_and_matrix_product(
    channels: tuple[int, int], size: tuple[int, int]
) -> None:
    conv = with_random_statistics(AdaptiveConv(*channels))
    images = torch.randn(3, channels[0], *size)
    expected = torch.stack([adaptive_conv_oracle(conv, image) for image in images])
    torch.testing.assert_close(conv(images), expected, rtol=0, atol=1e-5)


def test_kernels_depend_on_the_image() -> None:
    kernels = AdaptiveConv(16, 16).eval().kernels(torch.randn(2, 16, 8, 8))
    assert (kernels[0] - kernels[1]).abs().max() > 1e-3


def columns_that_see(module: nn.Module, column: int, height: int, width: int) -> list[int]:
    """Columns of the result that change with one pixel of the input."""
    features = torch.randn(1, 16, height, width)
    touched = features.clone()
    touched[:, 0, 3, column] += 1
    changed = (module(touched) - module(features)).abs().amax(dim=(0, 1, 2)) > 1e-6
    return changed.nonzero().flatten().tolist()


@pytest.mark.parametrize("height", [8, 21])
@pytest.mark.parametrize(
    ("column", "width", "seen"),
    [
        (12, 24, range(4, 20)),
        (1, 24, range(12)),  # not the last columns, which the shift brings next to the first
        (1, 21, range(12)),
        (20, 21, range(12, 21)),
        (1, 8, range(8)),
    ],
)
def test_windows_see_their_pixels_and_shifted_windows_theirs(
    height: int, column: int, width: int, seen: range
) -> None:
    with torch.no_grad():
        assert columns_that_see(SwinStage(16).eval(), column, height, width) == list(seen)


def test_padding_to_whole_windows_keeps_flat_features_flat() -> None:
    flat = torch.randn(1, 16, 1, 1).expand(1, 16, 9, 21)
    attended = SwinStage(16)(flat)
    torch.testing.assert_close(attended, attended[..., :1, :1].expand(1, 16, 9, 21), rtol=0, atol=1e-5)


def test_a_plain_transformer_sees_every_pixel() -> None:
    assert columns_that_see(GlobalBlock(16), 1, 9, 24) == list(range(24))


@pytest.mark.parametrize("options", OPTIONS)
def test_every_parameter_learns(options: dict) -> None:
    network = CSAFusion(**SMALL | options)
    for module in network.modules():
        if isinstance(module, ChannelAttention):
            module.weigh[1].weight.data.abs_()  # its one or two hidden units are often dead at random
    network(torch.rand(2, 2, 20, 24)).square().sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (33, 64), (61, 47)])
def test_any_size_gives_that_size_within_the_unit_range(options: dict, size: tuple[int, int]) -> None:
    fused = CSAFusion(**SMALL | options).eval()(torch.rand(1, 2, *size))
    assert fused.shape == (1, 1, *size)
    assert fused.min() >= 0 and fused.max() <= 1


@pytest.mark.parametrize("options", OPTIONS)
def test_slices_of_a_batch_do_not_see_each_other(options: dict) -> None:
    network = with_random_statistics(CSAFusion(**SMALL | options))
    batch = torch.rand(3, 2, 27, 24)
    alone = torch.cat([network(one[None]) for one in batch])
    torch.testing.assert_close(network(batch), alone, rtol=0, atol=1e-5)


def test_the_fused_image_is_the_same_with_and_without_gradients() -> None:
    network = with_random_statistics(CSAFusion(**SMALL))
    sources = torch.rand(1, 2, 29, 40)
    learning = network(sources)
    with torch.no_grad():
        torch.testing.assert_close(network(sources), learning, rtol=0, atol=1e-5)


@pytest.mark.parametrize("channels", [(32, 64), (32, 64, 72), (8, 16, 32), (0, 16, 32)])
def test_channels_that_cannot_be_grouped_are_refused(channels: tuple[int, ...]) -> None:
    with pytest.raises(ValueError) as refusal:
        CSAFusion(channels)
    assert str(refusal.value) == f"channels must be three multiples of 16, not {channels}"
