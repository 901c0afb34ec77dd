"""Means under a window at both borders against plain loops and scipy, and the variances that follow."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import correlate1d

from volfuse.numerics.windows import (
    box_mean,
    gaussian_mean,
    gaussian_weights,
    inner_mean,
    local_moments,
    window_matrix,
)


def noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mean_of_the_pixels_inside(image: np.ndarray, radius: int) -> np.ndarray:
    windows = [
        [
            image[max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1]
            for x in range(width)
        ]
        for height, width in [image.shape]
        for y in range(height)
    ]
    return np.array([[window.mean() for window in row] for row in windows])


def test_a_row_of_the_matrix_has_the_weights_of_the_samples_that_lie_in_its_window() -> None:
    starts, samples, weights = torch.tensor([-1, 2]), torch.tensor([0, 2, 4]), torch.tensor([1.0, 2.0, 3.0])
    expected = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.25, 0.75]])
    torch.testing.assert_close(window_matrix(starts, samples, weights), expected)


@pytest.mark.parametrize("radius", [1, 3, 20])
def test_box_mean_is_the_mean_of_the_pixels_inside(radius: int) -> None:
    image = noise(0, 9, 14)
    np.testing.assert_allclose(
        box_mean(image, radius), mean_of_the_pixels_inside(image.numpy(), radius), atol=1e-12
    )


def test_gaussian_mean_of_a_point_is_the_kernel() -> None:
    image = torch.zeros(21, 21, dtype=torch.float64)
    image[10, 10] = 1
    kernel = torch.exp(-(torch.arange(-5, 6, dtype=torch.float64) ** 2) / 8)
    expected = torch.outer(kernel, kernel) / kernel.sum() ** 2
    torch.testing.assert_close(gaussian_mean(image, 2.0, 5)[5:16, 5:16], expected)
    assert gaussian_mean(image, 2.0, 5)[4].abs().sum() == 0


@given(
    height=st.integers(1, 40), width=st.integers(1, 40), radius=st.integers(0, 50), value=st.floats(-1e3, 1e3)
)
def test_means_of_a_constant_are_the_constant_up_to_the_border(
    height: int, width: int, radius: int, value: float
) -> None:
    image = torch.full((height, width), value, dtype=torch.float64)
    torch.testing.assert_close(box_mean(image, radius), image)
    torch.testing.assert_close(gaussian_mean(image, 1 + radius / 3, radius), image)


@pytest.mark.parametrize("size", [3, 8, 11])
def test_the_mean_inside_is_the_correlation_where_the_window_fits(size: int) -> None:
    images, weights = noise(1, 2, 3, 15, 20), noise(5, size)
    weights /= weights.sum()
    found = inner_mean(images, weights)
    assert found.shape == (2, 3, 16 - size, 21 - size)
    expected = images.numpy()
    for axis in (2, 3):
        expected = correlate1d(expected, weights.numpy(), axis)
    first = size // 2
    expected = expected[..., first : first + 16 - size, first : first + 21 - size]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_both_borders_agree_inside() -> None:
    images = noise(2, 1, 1, 20, 17)
    torch.testing.assert_close(
        gaussian_mean(images, 1.5, 5)[..., 5:-5, 5:-5], inner_mean(images, gaussian_weights(11, 1.5))
    )


def test_images_keep_their_precision_whatever_the_weights_have() -> None:
    for kind in (torch.float32, torch.float64):
        assert gaussian_mean(torch.ones(4, 4, dtype=kind), 1.0, 2).dtype == kind
        assert inner_mean(torch.ones(4, 4, dtype=kind), gaussian_weights(3, 1.0)).dtype == kind


def test_gaussian_weights_are_symmetric_with_the_asked_ratio_and_the_sum_one() -> None:
    weights = gaussian_weights(4, 2.0)
    assert weights.sum() == pytest.approx(1) and torch.equal(weights, weights.flip(0))
    assert (weights[0] / weights[1]).item() == pytest.approx(math.exp(-(1.5**2 - 0.5**2) / 8))


def test_moments_are_those_of_the_weighted_pixels_of_each_window() -> None:
    first, second, weights = noise(3, 1, 1, 8, 9), noise(4, 1, 2, 8, 9), gaussian_weights(5, 1.5)
    moments = local_moments(first, second, weights)
    window = (0, 1, slice(2, 7), slice(3, 8))
    share = np.outer(weights, weights).ravel()
    a, b = first[0, 0, 2:7, 3:8].numpy().ravel(), second[window].numpy().ravel()
    expected = np.cov(a, b, ddof=0, aweights=share)
    at = (0, 1, 2, 3)
    assert moments.second_mean[at].item() == pytest.approx(np.average(b, weights=share))
    assert moments.first_mean[0, 0, 2, 3].item() == pytest.approx(np.average(a, weights=share))
    assert moments.first_variance[0, 0, 2, 3].item() == pytest.approx(expected[0, 0])
    assert moments.second_variance[at].item() == pytest.approx(expected[1, 1])
    assert moments.covariance[at].item() == pytest.approx(expected[0, 1])


def test_single_precision_keeps_a_small_variance_of_a_bright_image() -> None:
    faint = 0.9 + 0.001 * noise(6, 1, 1, 20, 20)
    weights = gaussian_weights(11, 1.5)
    found = local_moments(faint.float(), faint.float(), weights).covariance.double()
    torch.testing.assert_close(found, local_moments(faint, faint, weights).covariance, rtol=1e-3, atol=0)
