"""Sobel and Laplacian on polynomials, whose derivatives are known, and against scipy."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from volfuse.numerics.laplacian import laplacian
from volfuse.numerics.sobel import sobel

Y, X = (axis.double() for axis in torch.meshgrid(torch.arange(9), torch.arange(12), indexing="ij"))
INSIDE = (..., slice(1, -1), slice(1, -1))


def as_images(*planes: torch.Tensor) -> torch.Tensor:
    return torch.stack(planes)[None]


@pytest.fixture
def noise() -> torch.Tensor:
    return torch.rand(2, 3, 9, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_laplacian_of_a_quadratic_is_twice_the_sum_of_its_curvatures() -> None:
    found = laplacian(as_images(3 * X**2 - 5 * Y**2 + 2 * X * Y + 7, X**2 + Y**2))
    torch.testing.assert_close(found[INSIDE], as_images(-4 + 0 * X, 4 + 0 * X)[INSIDE])


def test_laplacian_of_a_plane_vanishes_inside_and_of_a_constant_everywhere() -> None:
    assert laplacian(as_images(2 * X - 3 * Y))[INSIDE].abs().max() < 1e-12
    assert torch.equal(laplacian(torch.full((1, 2, 5, 1), 0.3)), torch.zeros(1, 2, 5, 1))


def test_laplacian_agrees_with_scipy_and_sums_to_zero(noise: torch.Tensor) -> None:
    found = laplacian(noise)
    expected = ndimage.laplace(noise.numpy(), mode="nearest", axes=(2, 3))
    np.testing.assert_allclose(found, expected, atol=1e-12)
    # What leaves a pixel enters its neighbour, and nothing passes the border.
    assert found.sum(dim=(2, 3)).abs().max() < 1e-12


def test_sobel_of_a_plane_is_eight_times_its_slopes() -> None:
    across_columns, across_rows = sobel(as_images(2 * X - 3 * Y))
    assert torch.equal(across_columns[INSIDE], as_images(16 + 0 * X)[INSIDE])
    assert torch.equal(across_rows[INSIDE], as_images(-24 + 0 * X)[INSIDE])


@pytest.mark.parametrize(("padding", "mode"), [("replicate", "nearest"), ("reflect", "mirror")])
def test_sobel_agrees_with_scipy_at_every_border(noise: torch.Tensor, padding: str, mode: str) -> None:
    across_columns, across_rows = sobel(noise, padding)
    for plane, by_column, by_row in zip(
        *(images.flatten(0, 1).numpy() for images in (noise, across_columns, across_rows)), strict=True
    ):
        np.testing.assert_allclose(by_column, ndimage.sobel(plane, 1, mode=mode), atol=1e-12)
        np.testing.assert_allclose(by_row, ndimage.sobel(plane, 0, mode=mode), atol=1e-12)
