"""Reduce and expand against scipy, and the pyramid that is made of them."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import convolve1d

from volfuse.numerics.pyramids import expand, laplacian_pyramid, reconstruct, reduce


def noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def blur(image: np.ndarray) -> np.ndarray:
    for axis in (0, 1):
        image = convolve1d(image, np.array([1, 4, 6, 4, 1]) / 16, axis, mode="constant")
    return image


@pytest.mark.parametrize("shape", [(16, 16), (17, 12), (1, 9), (2, 2)], ids=str)
def test_reduce_is_a_blur_of_which_every_other_pixel_is_kept(shape: tuple[int, int]) -> None:
    image = noise(0, *shape)
    expected = (blur(image.numpy()) / blur(np.ones(shape)))[::2, ::2]
    np.testing.assert_allclose(reduce(image), expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(16, 16), (17, 12), (1, 9), (2, 2)], ids=str)
def test_expand_is_a_blur_of_pixels_spread_among_gaps(shape: tuple[int, int]) -> None:
    spread, mask = np.zeros(shape), np.zeros(shape)
    mask[::2, ::2] = 1
    spread[::2, ::2] = noise(1, *spread[::2, ::2].shape)
    expected = blur(spread) / blur(mask)
    np.testing.assert_allclose(expand(torch.from_numpy(spread[::2, ::2]), shape), expected, atol=1e-12)


@given(height=st.integers(1, 33), width=st.integers(1, 33), levels=st.integers(0, 6))
def test_a_pyramid_of_any_image_reconstructs_it(height: int, width: int, levels: int) -> None:
    images = noise(2, 2, 3, height, width)
    torch.testing.assert_close(reconstruct(laplacian_pyramid(images, levels)), images)


def test_levels_halve_and_the_base_is_the_image_reduced() -> None:
    images = noise(3, 1, 2, 21, 8)
    *details, base = laplacian_pyramid(images, 3)
    assert [tuple(level.shape[2:]) for level in (*details, base)] == [(21, 8), (11, 4), (6, 2), (3, 1)]
    assert torch.equal(base, reduce(reduce(reduce(images))))


def test_a_flat_image_has_no_detail() -> None:
    *details, base = laplacian_pyramid(torch.full((1, 1, 19, 30), 0.7, dtype=torch.float64), 4)
    assert max(detail.abs().max().item() for detail in details) < 1e-12
    torch.testing.assert_close(base, torch.full_like(base, 0.7))


def test_the_pyramid_is_linear() -> None:
    first, second = noise(4, 1, 1, 24, 31), noise(5, 1, 1, 24, 31)
    levels = zip(*(laplacian_pyramid(image, 3) for image in (first, second, 2 * first - second)), strict=True)
    for one, other, mixed in levels:
        torch.testing.assert_close(mixed, 2 * one - other)
