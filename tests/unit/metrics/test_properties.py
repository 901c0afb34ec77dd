"""What holds for every metric, whatever it measures."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from monai.data import MetaTensor

from volfuse.metrics import METRICS

SIDE = 176  # what MS-SSIM needs
ALL = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS.keys())
DIFFERENTIABLE = pytest.mark.parametrize(
    "metric", [metric for metric in METRICS.values() if metric.differentiable], ids=lambda metric: metric.name
)
IDENTICAL = {"0": 0, "1": 1, "N": 2, "0.975": 0.9748}


@pytest.fixture(scope="module")
def images():
    """Two smooth 8-bit images with black background and their two sources, as medical images are."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(2, 2, SIDE // 8, SIDE // 8, generator=generator)
    sources = torch.nn.functional.interpolate(noise, scale_factor=8, mode="bicubic").clamp(0, 1)
    sources[..., : SIDE // 4] = 0
    sources = (255 * sources).round() / 255
    return sources.amax(dim=1, keepdim=True), sources


@ALL
def test_one_value_per_image_whatever_else_is_in_the_batch(metric, images):
    fused, sources = images
    batch = metric(fused, sources)
    assert batch.shape == (2,)
    assert batch.dtype == torch.float64
    alone = torch.cat([metric(fused[[index]], sources[[index]]) for index in range(2)])
    torch.testing.assert_close(batch, alone, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "metric",
    [m for m in METRICS.values() if not m.name.endswith(("_first", "_second"))],
    ids=lambda m: m.name,
)
def test_order_of_the_sources_does_not_matter(metric, images):
    fused, sources = images
    torch.testing.assert_close(metric(fused, sources.flip(1)), metric(fused, sources), rtol=1e-9, atol=1e-12)


@ALL
@pytest.mark.parametrize("convention", ["reference", "published"])
def test_finite_on_constant_images(metric, images, convention):
    varied, sources = images
    constant = torch.full_like(varied, 0.1)
    cases = [
        (constant, sources * 0 + 0.1),
        (constant, sources),
        (varied, sources * 0),
        (constant * 0, sources * 0),
    ]
    for fused, both in cases:
        assert metric(fused, both, convention=convention).isfinite().all()


@ALL
def test_identical_images_give_what_the_registry_says(metric, images):
    fused, sources = images
    value = metric(fused, fused.expand_as(sources))
    if metric.identical in IDENTICAL:
        expected = torch.full_like(value, IDENTICAL[metric.identical])
        torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-9)
    if metric.identical == "H(F)":
        torch.testing.assert_close(value, METRICS["en"](fused, sources))
    if metric.identical == "N H(F)":
        scale = math.log(2) if metric.name == "mi_nats" else 1
        torch.testing.assert_close(value, 2 * scale * METRICS["en"](fused, sources))


@ALL
def test_more_than_two_sources_and_plain_tensors_out(metric, images):
    fused, sources = images
    three = torch.cat([sources, sources[:, :1]], dim=1)
    value = metric(MetaTensor(fused[:1]), MetaTensor(three[:1]))
    assert value.shape == (1,)
    assert value.isfinite().all()
    assert not isinstance(value, MetaTensor)


@DIFFERENTIABLE
def test_gradients_are_finite_also_where_nothing_varies(metric, images):
    varied, sources = images
    for start, both in (
        (varied, sources),
        (torch.zeros_like(varied), sources),
        (torch.zeros_like(varied), sources * 0),
    ):
        fused = start.clone().requires_grad_()
        metric(fused, both).sum().backward()
        assert fused.grad.isfinite().all()


@pytest.mark.parametrize("name", ["qabf", "scd"])
def test_a_training_loss_of_it_can_be_followed_uphill(name, images):
    fused, sources = images[1].mean(dim=1, keepdim=True).requires_grad_(), images[1]
    optimiser = torch.optim.Adam([fused], lr=1e-2)
    before = METRICS[name](fused, sources).mean().item()
    for _ in range(10):
        optimiser.zero_grad()
        (-METRICS[name](fused, sources).mean()).backward()
        optimiser.step()
    assert METRICS[name](fused, sources).mean().item() > before + 0.02


def test_mixed_precision_changes_nothing(images):
    fused, sources = images
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = METRICS["qabf"](fused, sources)
    torch.testing.assert_close(inside, METRICS["qabf"](fused, sources), rtol=0, atol=0)


eight_bit_images = arrays(
    np.uint8, (3, 6, 7), elements=st.integers(0, 255) | st.sampled_from([0, 1, 128, 255])
)
RANGES = {
    "en": (0, 8),
    "sd": (0, 127.5),
    "sf": (0, 360.7),
    "ag": (0, 255),
    "mi": (0, 16),
    "nmi": (0, 2),
    "qncie": (0.8, 1),
    "cc": (-1, 1),
    "scd": (-2, 2),
    "qabf": (0, 0.975),
    "nabf": (0, 1),
    "epi": (-1, 1),
    "epi_first": (-1, 1),
    "epi_second": (-1, 1),
}


@settings(max_examples=30, deadline=None)
@given(levels=eight_bit_images)
def test_values_stay_in_their_range_and_gradients_finite(levels):
    images = torch.from_numpy(levels)[None].float() / 255
    for name, (low, high) in RANGES.items():
        fused = images[:, :1].clone().requires_grad_()
        value = METRICS[name](fused, images[:, 1:])
        assert low - 1e-9 <= value.item() <= high + 1e-9, name
        if METRICS[name].differentiable:
            value.backward()
            assert fused.grad.isfinite().all(), name


@settings(max_examples=15, deadline=None)
@given(levels=eight_bit_images)
def test_feature_information_stays_between_0_and_1_on_edges(levels):
    images = torch.from_numpy(levels)[None].float() / 255
    for name in ("fmi_edge", "fmi_gradient", "fmi_dct", "fmi_wavelet", "fmi_pixel"):
        assert METRICS[name](images[:, :1], images[:, 1:]).isfinite().all(), name


@pytest.mark.parametrize(
    ("fused", "sources", "message"),
    [
        ((2, 2, 8, 8), (2, 2, 8, 8), "fused must have shape (B, 1, H, W), got (2, 2, 8, 8)."),
        ((1, 8, 8), (1, 2, 8, 8), "fused must have shape (B, 1, H, W), got (1, 8, 8)."),
        (
            (1, 1, 8, 8),
            (1, 1, 8, 8),
            "sources must have shape (B, N, H, W) with N at least 2, got (1, 1, 8, 8).",
        ),
        (
            (1, 1, 8, 8),
            (1, 2, 8, 9),
            "fused and sources must agree in batch size, height and width, got (1, 1, 8, 8) and (1, 2, 8, 9).",
        ),
        ((1, 1, 1, 8), (1, 2, 1, 8), "this metric needs images of at least 2x2 pixels, got 1x8."),
    ],
)
def test_wrong_shapes_are_refused_in_one_sentence(fused, sources, message):
    with pytest.raises(ValueError) as refusal:
        METRICS["sd"](torch.zeros(fused), torch.zeros(sources))
    assert str(refusal.value) == message


@pytest.mark.parametrize(
    ("name", "side"), [("ssim", 11), ("ms_ssim", 176), ("mef_ssim", 44), ("vif", 41), ("fmi_edge", 3)]
)
def test_too_small_images_are_refused(name, side):
    small, enough = torch.rand(1, 2, side, side - 1), torch.rand(1, 2, side, side)
    message = f"this metric needs images of at least {side}x{side} pixels, got {side}x{side - 1}."
    with pytest.raises(ValueError) as refusal:
        METRICS[name](small[:, :1], small)
    assert str(refusal.value) == message
    assert METRICS[name](enough[:, :1], enough).isfinite().all()


def test_unknown_convention_is_refused(images):
    with pytest.raises(ValueError) as refusal:
        METRICS["sf"](*images, convention="paper")
    assert str(refusal.value) == "convention must be 'reference' or 'published', got 'paper'."
