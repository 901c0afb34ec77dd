"""Every metric on images whose value follows from the definition on paper."""

import math

import numpy as np
import pytest
import torch
from scipy.fft import dctn

from volfuse.metrics import METRICS
from volfuse.metrics.feature_maps import cosine_transform, sobel_edges, wavelet_transform

COLUMNS = torch.arange(16.0).expand(16, 16)[None, None]
"""Grey levels 0..15, a ramp along the rows."""


def on(*levels):
    """Stack images of grey levels into sources in 0..1."""
    return torch.cat(levels, dim=1) / 255


def value(name, fused, sources, **options):
    return METRICS[name](fused, sources, **options).item()


@pytest.fixture
def texture():
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (1, 1, 192, 192), generator=generator).float()


@pytest.fixture
def other_texture():
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (1, 1, 192, 192), generator=generator).float()


def test_entropy_counts_bits():
    sixteen_levels = on(COLUMNS)
    assert value("en", sixteen_levels, on(COLUMNS, COLUMNS)) == pytest.approx(4)


def test_entropy_saturates_outside_the_range():
    too_wide = torch.tensor([[-0.5, 0.0], [1.0, 1.5]])[None, None]
    assert value("en", too_wide, too_wide.expand(-1, 2, -1, -1)) == pytest.approx(1)


def test_standard_deviation_of_black_and_white():
    image = (COLUMNS % 2) * 255
    assert value("sd", on(image), on(image, image)) == pytest.approx(127.5)


def test_spatial_frequency_of_a_ramp_is_its_slope():
    assert value("sf", on(3 * COLUMNS), on(COLUMNS, COLUMNS)) == pytest.approx(3)


def test_published_spatial_frequency_wraps_around():
    # Steps of 16 square to 256, which is 0 in 8 bits; steps of -3 are 253, whose square is 9 again.
    assert value("sf", on(16 * COLUMNS), on(COLUMNS, COLUMNS), convention="published") == 0
    assert value("sf", on(45 - 3 * COLUMNS), on(COLUMNS, COLUMNS), convention="published") == pytest.approx(3)


def test_average_gradient_of_a_ramp():
    assert value("ag", on(3 * COLUMNS), on(COLUMNS, COLUMNS)) == pytest.approx(3 / math.sqrt(2))


def test_published_average_gradient_wraps_around():
    # A fall of 1 per column is 255 at the border, 254 // 2 = 127 inside; both squares are 1 in 8 bits.
    falling = on(15 - COLUMNS)
    assert value("ag", falling, on(COLUMNS, COLUMNS), convention="published") == pytest.approx(
        math.sqrt(1 / 2)
    )


def test_mutual_information_of_independent_images_is_zero():
    rows = COLUMNS.transpose(2, 3)
    assert value("mi", on(COLUMNS), on(rows, rows)) == pytest.approx(0, abs=1e-12)
    assert value("mi", on(COLUMNS), on(rows, COLUMNS)) == pytest.approx(4)
    assert value("mi_nats", on(COLUMNS), on(rows, COLUMNS)) == pytest.approx(4 * math.log(2))
    assert value("nmi", on(COLUMNS), on(rows, COLUMNS)) == pytest.approx(1)


def test_nonlinear_correlation_information_entropy_at_both_ends():
    all_levels = torch.arange(256.0).reshape(1, 1, 16, 16)
    rows = COLUMNS.transpose(2, 3)
    constant = torch.zeros_like(rows)
    assert value("qncie", on(all_levels), on(all_levels, all_levels)) == pytest.approx(1)
    assert value("qncie", on(COLUMNS), on(rows, constant)) == pytest.approx(1 - math.log(3, 256))


def test_correlation_sees_sign_but_not_scale(texture):
    assert value("cc", on(0.5 * texture + 7), on(texture, texture)) == pytest.approx(1)
    assert value("cc", on(texture), on(255 - texture, texture)) == pytest.approx(0)


def test_sum_of_correlations_of_differences_of_a_sum_is_two(texture, other_texture):
    assert value("scd", on(texture + other_texture), on(texture, other_texture)) == pytest.approx(2)


def test_published_sum_of_correlations_is_twice_the_mean_correlation(texture, other_texture):
    fused, sources = on((texture + other_texture) / 2), on(texture, other_texture)
    assert value("scd", fused, sources, convention="published") == pytest.approx(
        2 * value("cc", fused, sources)
    )


def test_structural_similarity_of_constant_images():
    dark, bright = torch.full((1, 1, 16, 16), 0.2), torch.full((1, 1, 16, 16), 0.8)
    expected = (2 * 0.2 * 0.8 + 1e-4) / (0.2**2 + 0.8**2 + 1e-4)
    sources = torch.cat([bright, dark], dim=1)
    assert value("ssim_first", dark, sources) == pytest.approx(expected)
    assert value("ssim_second", dark, sources) == pytest.approx(1)
    assert value("ssim", dark, sources) == pytest.approx((1 + expected) / 2)
    assert value("ssim", dark, sources, convention="published") == pytest.approx(1 + expected)


def test_mef_ssim_asks_for_the_structure_of_the_only_source_that_has_any(texture):
    flat = torch.full_like(texture, 90)
    assert value("mef_ssim", on(texture), on(flat, texture)) == pytest.approx(1, abs=1e-4)
    assert value("mef_ssim", on(flat), on(flat, texture)) < 0.1


def test_edge_preservation_of_half_the_strength(texture):
    kept_orientation = 0.9879 / (1 + math.exp(-22 * 0.2))
    whole = 0.9994 / (1 + math.exp(-15 * 0.5)) * kept_orientation
    half = 0.9994 / 2 * kept_orientation
    sources = on(texture, texture)
    assert value("qabf", on(texture), sources) == pytest.approx(whole)
    assert value("qabf", on(texture / 2), sources) == pytest.approx(half, rel=1e-4)


def test_edge_preservation_sees_orientation():
    sources = on(COLUMNS, COLUMNS)
    assert value("qabf", on(COLUMNS.transpose(2, 3)), sources) < 1e-6


def test_edge_artifacts_are_edges_stronger_than_every_source():
    flat = torch.full_like(COLUMNS, 90)
    assert value("nabf", on(90 + COLUMNS), on(flat, flat)) > 0.8
    assert value("nabf", on(flat), on(COLUMNS, flat)) == 0
    assert value("nabf", on(COLUMNS), on(COLUMNS, flat)) == 0


def test_edge_preservation_index_sees_sign_but_not_scale(texture):
    assert value("epi", on(0.5 * texture + 7), on(texture, texture)) == pytest.approx(1)
    assert value("epi", on(255 - texture), on(texture, texture)) == pytest.approx(-1)


def test_edge_preservation_index_of_either_source(texture, other_texture):
    fused, sources = on(0.5 * texture + 7), on(texture, other_texture)
    first, second = value("epi_first", fused, sources), value("epi_second", fused, sources)
    assert first == pytest.approx(1)
    assert second == pytest.approx(value("epi", on(texture), on(other_texture, other_texture)))
    assert value("epi", fused, sources) == pytest.approx((first + second) / 2)


def test_visual_information_grows_with_contrast(texture):
    sources = on(texture / 2, texture / 2)
    flat = torch.full_like(texture, 90)
    assert value("vif", on(flat), sources) == pytest.approx(0, abs=1e-9)
    assert value("vif", on(texture / 4), sources) < 2 < value("vif", on(texture), sources)
    assert value("viff", on(texture / 4), sources) < 1 < value("viff", on(texture), sources)


def test_a_flat_source_has_no_visual_information_to_lose(texture):
    flat = torch.full_like(texture, 90)
    assert value("vif", on(texture), on(texture, flat)) == pytest.approx(2)


def test_feature_information_does_not_see_contrast(texture):
    quarter = (texture / 4).round()
    assert value("fmi_pixel", on(4 * quarter - quarter), on(quarter, quarter)) == pytest.approx(1)
    assert value("fmi_pixel", on(texture), on(torch.full_like(texture, 90), texture)) == pytest.approx(0.5)


def test_wavelet_feature_agrees_with_pywavelets():
    pywt = pytest.importorskip("pywt")
    generator = torch.Generator().manual_seed(2)
    image = torch.randint(0, 256, (1, 1, 40, 73), generator=generator).double()
    approximation, (below, right, diagonal) = pywt.dwt2(image[0, 0].numpy(), "dmey", mode="symmetric")
    expected = torch.from_numpy(np.block([[approximation, right], [below, diagonal]]))
    torch.testing.assert_close(wavelet_transform(image)[0, 0], expected, rtol=1e-9, atol=1e-9)


def test_cosine_feature_agrees_with_scipy():
    generator = torch.Generator().manual_seed(3)
    image = torch.randint(0, 256, (1, 1, 24, 31), generator=generator).double()
    expected = torch.from_numpy(dctn(image[0, 0].numpy(), norm="ortho"))
    torch.testing.assert_close(cosine_transform(image)[0, 0], expected, rtol=1e-9, atol=1e-7)


def test_edge_feature_finds_a_step_as_one_thin_line():
    step = (COLUMNS >= 8) * 200.0
    expected = (COLUMNS == 8).double()
    torch.testing.assert_close(sobel_edges(step.double()), expected, rtol=0, atol=0)
