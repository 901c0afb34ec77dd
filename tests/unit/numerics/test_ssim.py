"""Structural similarity against scikit-image, and what must hold for any pair of images."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from volfuse.numerics.ssim import SCALE_WEIGHTS, ssim, ssim_by_scale


def noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def ssim_of_scikit_image(first: np.ndarray, second: np.ndarray) -> float:
    _, similarities = structural_similarity(
        first,
        second,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1.0,
        full=True,
    )
    return similarities[5:-5, 5:-5].mean()


def test_it_is_that_of_scikit_image_where_the_window_fits() -> None:
    first = noise(0, 2, 1, 30, 41)
    second = (0.6 * first + 0.4 * noise(1, 2, 3, 30, 41)).clamp(0, 1)
    expected = [
        [ssim_of_scikit_image(first[batch, 0].numpy(), image.numpy()) for image in second[batch]]
        for batch in range(2)
    ]
    np.testing.assert_allclose(ssim(first, second), expected, atol=1e-10)


def test_of_two_constants_only_the_luminance_counts() -> None:
    first, second = torch.full((1, 1, 12, 12), 0.2), torch.full((1, 1, 12, 12), 0.8)
    expected = (2 * 0.2 * 0.8 + 1e-4) / (0.2**2 + 0.8**2 + 1e-4)
    assert ssim(first, second).item() == pytest.approx(expected, abs=1e-6)


def test_single_precision_is_good_for_six_digits() -> None:
    first, second = noise(2, 1, 1, 64, 64), noise(3, 1, 2, 64, 64)
    torch.testing.assert_close(
        ssim(first.float(), second.float()).double(), ssim(first, second), rtol=0, atol=1e-6
    )


@given(seed=st.integers(0, 1000), height=st.integers(1, 30), width=st.integers(1, 30))
def test_any_image_is_like_itself_and_similarity_has_no_direction(seed: int, height: int, width: int) -> None:
    first, second = noise(seed, 1, 2, height, width), noise(seed + 1, 1, 2, height, width)
    torch.testing.assert_close(ssim(first, first), torch.ones(1, 2, dtype=torch.float64))
    torch.testing.assert_close(ssim(first, second), ssim(second, first))
    assert ssim(first, second).abs().max() <= 1


def test_factors_of_the_scales_are_those_of_images_halved_by_means() -> None:
    first, second = noise(4, 1, 1, 64, 48), noise(5, 1, 1, 64, 48)
    factors = ssim_by_scale(first, second)
    assert factors.shape == (1, 1, len(SCALE_WEIGHTS))
    pool = torch.nn.functional.avg_pool2d
    torch.testing.assert_close(factors[..., 1:-1], ssim_by_scale(pool(first, 2), pool(second, 2))[..., :-2])
    torch.testing.assert_close(factors[..., -1], ssim(pool(first, 16), pool(second, 16)))


def test_contrast_and_structure_do_not_see_brightness() -> None:
    image = noise(6, 1, 1, 64, 64) / 2
    *factors, coarsest = ssim_by_scale(image, image + 0.5).flatten().tolist()
    assert factors == pytest.approx([1] * 4)
    assert coarsest < 0.9
