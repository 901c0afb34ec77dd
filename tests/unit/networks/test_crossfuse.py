import math

import pytest
import torch
from torch import nn

from volfuse.errors import FusionError
from volfuse.networks import CrossFuse, CrossFuseAutoEncoder
from volfuse.networks.complexity import count_multiply_adds, count_parameters
from volfuse.networks.crossfuse.attention import (
    Attention,
    CrossAttention,
    CrossAttentionModule,
    merge_windows,
    split_windows,
)
from volfuse.networks.crossfuse.skip_weights import detail_weights, intensity_weights


@pytest.fixture(scope="module")
def network() -> CrossFuse:
    torch.manual_seed(0)
    return CrossFuse(out_norm="minmax").eval().requires_grad_(False)


@pytest.fixture(scope="module")
def cross_attention_module() -> CrossAttentionModule:
    torch.manual_seed(0)
    return CrossAttentionModule(1, 1, re_softmax=True, shift=True).requires_grad_(False)


def learning(network: nn.Module, sources: torch.Tensor) -> set[str]:
    """Names of the parameters that a training step would move by more than rounding."""
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eval()  # with batch statistics the biases before them cancel
    network(sources).square().mean().backward()
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    largest = max(gradient.abs().max() for gradient in gradients.values() if gradient is not None)
    return {
        name
        for name, gradient in gradients.items()
        if gradient is not None and gradient.abs().max() > 1e-9 * largest
    }


def names(network: nn.Module) -> set[str]:
    """Names of all parameters but the key biases, which add the same to all scores of a query."""
    return {name for name, _ in network.named_parameters() if not name.endswith("key.bias")}


@pytest.mark.parametrize(
    ("options", "parameters", "millions"),
    [({}, 21_305_827, 21.31), ({"depth_self": 2, "depth_cross": 2}, 40_220_131, 40.22)],
)
def test_parameters_are_those_that_the_published_code_uses(
    options: dict, parameters: int, millions: float
) -> None:
    with torch.device("meta"):
        network = CrossFuse(**options)
    assert count_parameters(network) == parameters
    assert round(parameters / 1e6, 2) == millions


def test_parameters_of_each_part_are_those_that_the_published_code_uses() -> None:
    with torch.device("meta"):
        network, autoencoder = CrossFuse(), CrossFuseAutoEncoder()
    assert [round(count_parameters(encoder) / 1e6, 4) for encoder in network.encoders] == [1.1253, 1.1253]
    assert round(count_parameters(network.fusion) / 1e6, 2) == 18.92
    assert round((count_parameters(network.decoder) + count_parameters(network.output)) / 1e6, 3) == 0.139
    assert round(count_parameters(autoencoder) / 1e6, 4) == 1.2545


def test_multiply_adds_are_those_of_the_published_code_without_its_box_filters() -> None:
    # There, full 3x3 convolutions with ones weigh the skip connections: 32 channels at 256x256, 128 at 32x32.
    box_filters = 2 * 9 * (32**2 * 256**2 + 128**2 * 32**2)
    # thop counts one operation per pixel of nearest-neighbour upsampling.
    upsampling = 64 * 64**2 + 64 * 128**2 + 32 * 256**2
    assert round((count_multiply_adds(CrossFuse()) + box_filters + upsampling) / 1e9, 2) == 27.17


@pytest.mark.parametrize(("reverse", "sign"), [(True, -1), (False, 1)])
def test_re_softmax_is_the_softmax_of_negated_scores(reverse: bool, sign: int) -> None:
    attention = Attention(reverse)
    query, key, value = torch.randn(3, 2, 9, 512).unbind()
    projected = attention.query(query), attention.key(key), attention.value(value)
    heads, shares = [], []
    for head in range(16):
        queries, keys, values = (tokens[..., 32 * head : 32 * head + 32] for tokens in projected)
        scores = queries @ keys.transpose(1, 2) / math.sqrt(32)
        exponentials = torch.exp(sign * scores)
        shares.append(exponentials / exponentials.sum(-1, keepdim=True))
        heads.append(shares[-1] @ values)
    torch.testing.assert_close(attention.weights(query, key), torch.stack(shares, 1), rtol=0, atol=1e-6)
    expected = attention.project(torch.cat(heads, -1))
    torch.testing.assert_close(attention(query, key, value), expected, rtol=0, atol=1e-6)


def test_deeper_cross_attention_goes_on_with_normalised_queries_and_values() -> None:
    cross = CrossAttention(depth=2, re_softmax=True)
    for norm in (cross.blocks[0].norm, cross.blocks[1].norm, cross.norm):
        nn.init.normal_(norm.weight)
    own, other = torch.randn(2, 1, 9, 512).unbind()
    first, second = cross.blocks
    after_first = first(own, first.norm(other), first.norm(own), first.norm(own))
    value = cross.norm(after_first)
    expected = cross.norm(
        second(value, second.norm(first.norm(other)), second.norm(after_first), second.norm(value))
    )
    torch.testing.assert_close(cross(own, other), expected)


@pytest.mark.parametrize("size", [(2, 2), (8, 15), (31, 32), (33, 64), (70, 3)])
def test_windows_come_back_as_they_were(size: tuple[int, int]) -> None:
    features = torch.rand(2, 3, *size)
    windows = split_windows(features)
    assert all(side % 2 == 0 and side <= 32 for side in windows.shape[-2:])
    assert torch.equal(merge_windows(windows, size), features)


def test_windows_do_not_see_each_other(cross_attention_module: CrossAttentionModule) -> None:
    maps = torch.rand(2, 1, 128, 32, 64)
    halves = [tuple(half) for half in zip(*(one.split(32, dim=3) for one in maps), strict=True)]
    for method in (cross_attention_module, cross_attention_module.attention_maps):
        alone = torch.cat([method(*half) for half in halves], dim=3)
        torch.testing.assert_close(method(*maps), alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("size", "matters"), [(8, False), (6, True)])
def test_a_shift_matters_only_where_it_cuts_patches(
    cross_attention_module: CrossAttentionModule, size: int, matters: bool
) -> None:
    unshifted = CrossAttentionModule(1, 1, re_softmax=True, shift=False)
    unshifted.load_state_dict(cross_attention_module.state_dict())
    maps = torch.rand(2, 1, 128, size, size)
    difference = (unshifted(*maps) - cross_attention_module(*maps)).abs().max()
    assert (difference > 1e-3) == matters


@pytest.mark.parametrize("size", [(16, 16), (64, 64), (97, 131), (264, 160)])
def test_any_size_from_16_gives_that_size_within_the_unit_range(
    network: CrossFuse, size: tuple[int, int]
) -> None:
    fused = network(torch.rand(1, 2, *size))
    assert fused.shape == (1, 1, *size)
    assert fused.min() >= 0 and fused.max() <= 1


def test_slices_of_a_batch_do_not_see_each_other(network: CrossFuse) -> None:
    batch = torch.rand(3, 2, 40, 24)
    alone = torch.cat([network(one[None]) for one in batch])
    torch.testing.assert_close(network(batch), alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("out_norm", ["clip", "minmax", "volume"])
def test_a_constant_slice_becomes_the_brighter_of_its_constants(network: CrossFuse, out_norm: str) -> None:
    sources = torch.rand(3, 2, 24, 24)
    sources[0] = 0
    sources[1, 0], sources[1, 1] = 0.3, 0.6
    network.out_norm = out_norm
    fused = network(sources)
    network.out_norm = "minmax"
    assert torch.equal(fused[0], torch.zeros(1, 24, 24))
    assert torch.equal(fused[1], torch.full((1, 24, 24), 0.6))
    assert fused[2].std() > 0


def test_noise_below_half_a_grey_level_is_not_stretched(network: CrossFuse) -> None:
    fused = network(0.5 + torch.rand(1, 2, 24, 24) / 600)
    assert fused.max() - fused.min() < 1 / 600


def test_black_around_little_tissue_stays_black() -> None:
    sources = torch.zeros(1, 2, 64, 64)
    sources[..., 28:36, 28:36] = torch.rand(2, 8, 8)
    fused = CrossFuse().eval()(sources)
    assert not fused[..., :24, :].any() and not fused[..., 40:].any() and fused[..., 30:34, 30:34].any()


def test_the_output_is_stretched_per_image_or_per_call_or_clipped() -> None:
    network = CrossFuse(fusion="add").requires_grad_(False)
    network.output[1].weight.fill_(20)
    network.eval()
    sources = torch.rand(2, 2, 24, 24)
    sources[1] /= 4

    def limits(out_norm: str) -> tuple[list[float], list[float]]:
        network.out_norm = out_norm
        fused = network(sources)
        return fused.amin((1, 2, 3)).tolist(), fused.amax((1, 2, 3)).tolist()

    assert limits("minmax") == ([0, 0], [1, 1])
    low, high = limits("volume")
    assert min(low) == 0 and max(high) == 1
    assert max(low) > 0 or min(high) < 1
    low, high = limits("clip")
    assert min(low) >= 0 and max(high) <= 1
    network.train()
    low, high = limits("clip")
    assert min(low) < 0 and max(high) > 1


def test_training_starts_about_the_unit_range() -> None:
    fused = CrossFuse(fusion="add").requires_grad_(False)(torch.rand(2, 2, 32, 32))
    assert fused.mean().item() == pytest.approx(0.25, abs=1e-4)
    assert fused.std().item() == pytest.approx(0.25, abs=1e-2)


def test_deep_features_are_weighted_by_the_magnitude_of_their_mean() -> None:
    first, second = torch.full((1, 4, 6, 6), -3.0), torch.ones(1, 4, 6, 6)
    shares = intensity_weights(first, second)
    for share, expected in zip(shares, (0.75, 0.25), strict=True):
        torch.testing.assert_close(share, torch.full((1, 4, 6, 6), expected))


@pytest.mark.parametrize(("mode", "reach"), [("official", 1), ("bounded", 6)])
def test_shallow_features_are_weighted_by_their_distance_from_their_mean(mode: str, reach: int) -> None:
    first, second = torch.zeros(1, 1, 17, 17), torch.zeros(1, 1, 17, 17)
    first[..., 8, 8], second[..., 8, 8] = 0.9, -0.3
    share = detail_weights(first, second, mode)[0]
    near = slice(8 - reach, 9 + reach)
    torch.testing.assert_close(
        share[..., near, near], torch.full_like(share[..., near, near], 0.75), rtol=0, atol=1e-3
    )
    assert not share[..., : 8 - reach, :].any()


@pytest.mark.parametrize("weigh", [intensity_weights, detail_weights])
def test_weights_stay_between_zero_and_one(weigh) -> None:
    first, second = (torch.randn(2, 16, 12, 12, requires_grad=True) for _ in range(2))
    shares = weigh(first, second)
    assert all(share.min() >= 0 and share.max() <= 1 for share in shares)
    assert sum(shares).max() <= 1 + 1e-6
    assert not any(share.requires_grad for share in shares)


def test_rounding_to_bfloat16_is_no_detail(network: CrossFuse) -> None:
    sources = torch.rand(1, 2, 32, 32)
    sources[..., 16:] = 0.3
    with torch.autocast("cpu", torch.bfloat16):
        shallow, deep = network.encoders[0](sources[:, :1])
    assert torch.equal(shallow, network.encoders[0](sources[:, :1])[0]) and deep.dtype == torch.bfloat16


def test_published_weights_divide_by_signed_sums_over_all_channels() -> None:
    first, second = torch.full((1, 4, 3, 3), -0.9), torch.ones(1, 4, 3, 3)
    shares = intensity_weights(first, second, "official")
    assert shares[0].shape == (1, 1, 3, 3)
    assert shares[0][..., 1, 1].item() == pytest.approx(-9, rel=1e-4)
    assert shares[1][..., 1, 1].item() == pytest.approx(10, rel=1e-4)


def test_every_parameter_of_the_first_stage_learns() -> None:
    autoencoder = CrossFuseAutoEncoder()
    assert learning(autoencoder, torch.rand(1, 1, 19, 32)) == names(autoencoder)


@pytest.mark.parametrize("depth", [1, 2])
def test_every_parameter_of_the_second_stage_learns_but_the_frozen_encoders(depth: int) -> None:
    network = CrossFuse(depth_self=depth, depth_cross=depth)
    expected = {name for name in names(network) if not name.startswith("encoders.")}
    assert learning(network, torch.rand(2, 2, 32, 40)) == expected


@pytest.mark.parametrize(
    ("fusion", "convolutions"),
    [("cnn", 4), ("dense", 5)],  # a dense block has four
)
def test_the_ablations_have_the_convolutions_of_the_paper(fusion: str, convolutions: int) -> None:
    layers = [
        layer for layer in CrossFuse(fusion=fusion).fusion.modules() if isinstance(layer, torch.nn.Conv2d)
    ]
    assert [len(layers), layers[0].in_channels, layers[-1].out_channels] == [convolutions, 256, 128]


def test_networks_compute_in_double_precision_too() -> None:
    sources = torch.rand(1, 2, 32, 40, dtype=torch.float64)
    network = CrossFuse().double().eval()
    assert network(sources).dtype == torch.float64
    torch.testing.assert_close(
        network.float()(sources.float()).double(), network.double()(sources), atol=1e-4, rtol=0
    )
    assert CrossFuseAutoEncoder().double()(sources[:, :1]).dtype == torch.float64


@pytest.mark.parametrize("fusion", ["cnn", "dense", "add"])
def test_every_parameter_learns_when_there_is_one_stage(fusion: str) -> None:
    network = CrossFuse(fusion=fusion, freeze_encoders=False)
    assert learning(network, torch.rand(1, 2, 32, 32)) == names(network)


@pytest.mark.parametrize(
    "options",
    [{"re_softmax": False}, {"shift": False}, {"fusion": "cnn"}, {"fusion": "dense"}, {"fusion": "add"}],
)
def test_ablations_compute_something_else(network: CrossFuse, options: dict) -> None:
    ablation = CrossFuse(out_norm="minmax", **options).eval().requires_grad_(False)
    ablation.load_state_dict(network.state_dict(), strict=False)
    sources = torch.rand(1, 2, 48, 48)
    # Untrained scores are close to zero, so softmax and re-softmax differ little; rounding stays below 1e-6.
    assert (ablation(sources) - network(sources)).abs().max() > 2e-6


def test_the_encoders_of_the_first_stage_fit_the_second() -> None:
    network, autoencoder = CrossFuse(fusion="add"), CrossFuseAutoEncoder()
    network.encoders[1].load_state_dict(autoencoder.encoder.state_dict())
    image = torch.rand(1, 1, 16, 16)
    torch.testing.assert_close(network.encoders[1](image), autoencoder.encoder(image))


def test_attention_maps_tell_how_much_more_than_its_share_a_place_gets(network: CrossFuse) -> None:
    maps = network.attention_maps(torch.rand(2, 2, 64, 96))
    assert maps.shape == (2, 2, 64, 96)
    assert maps.min() >= 0
    torch.testing.assert_close(maps.mean((2, 3)), torch.ones(2, 2))
    assert (maps.amax((2, 3)) > 1).all()


def test_attention_maps_are_even_where_all_places_are_alike(network: CrossFuse) -> None:
    maps = network.attention_maps(torch.full((1, 2, 35, 41), 0.4))
    torch.testing.assert_close(maps, torch.ones_like(maps))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth_self": 0}, "depth_self must be 1, 2 or 3, not 0"),
        ({"depth_cross": 4}, "depth_cross must be 1, 2 or 3, not 4"),
        ({"fusion": "sum"}, "fusion must be 'cam', 'cnn', 'dense' or 'add', not 'sum'"),
        ({"weight_mode": "paper"}, "weight_mode must be 'bounded' or 'official', not 'paper'"),
        ({"out_norm": None}, "out_norm must be 'clip', 'minmax' or 'volume', not None"),
    ],
)
def test_unknown_options_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        CrossFuse(**options)


def test_images_that_are_too_small_are_refused(network: CrossFuse) -> None:
    message = "^CrossFuse needs images of at least 16x16 pixels, not 15x40; choose another model for such small ones.$"
    with pytest.raises(FusionError, match=message):
        network(torch.rand(1, 2, 15, 40))


def test_attention_maps_of_a_network_without_attention_are_refused() -> None:
    with pytest.raises(ValueError, match="^only fusion='cam' has attention maps$"):
        CrossFuse(fusion="add").attention_maps(torch.rand(1, 2, 16, 16))
