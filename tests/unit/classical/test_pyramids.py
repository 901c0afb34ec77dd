"""Laplacian pyramid and wavelet rule against independent implementations and known images."""

import numpy as np
import pytest
import pywt
import torch
from scipy.ndimage import convolve1d

from volfuse.classical import LaplacianPyramid, WaveletMaximum
from volfuse.classical.selection import strongest

KERNEL = np.array([1, 4, 6, 4, 1]) / 16


def sources_of(seed, *shape):
    return np.random.default_rng(seed).random(shape)


def blur(image):
    return convolve1d(convolve1d(image, KERNEL, 0, mode="constant"), KERNEL, 1, mode="constant")


def reduce_with_scipy(image):
    return (blur(image) / blur(np.ones_like(image)))[::2, ::2]


def expand_with_scipy(image, shape):
    spread, mask = np.zeros(shape), np.zeros(shape)
    spread[::2, ::2], mask[::2, ::2] = image, 1
    return blur(spread) / blur(mask)


@pytest.mark.parametrize(("base", "combine"), [("max", np.max), ("mean", np.mean)])
def test_laplacian_fusion_agrees_with_scipy(base, combine):
    levels, details = list(0.3 + 0.4 * sources_of(1, 2, 37, 50)), []
    sources = torch.from_numpy(np.stack(levels))[None]
    for _ in range(4):
        coarser = [reduce_with_scipy(level) for level in levels]
        first, second = (
            level - expand_with_scipy(low, level.shape) for level, low in zip(levels, coarser, strict=True)
        )
        details.append(np.where(np.abs(first) >= np.abs(second), first, second))
        levels = coarser
    expected = combine(levels, axis=0)
    for detail in reversed(details):
        expected = expand_with_scipy(expected, detail.shape) + detail
    fused = LaplacianPyramid(base)(sources)
    np.testing.assert_allclose(fused[0, 0], expected.clip(0, 1), atol=1e-12)


@pytest.mark.parametrize(("base", "background"), [("max", 0.5), ("mean", 0.35)])
def test_base_decides_the_background_of_flat_images(base, background):
    sources = torch.tensor([0.2, 0.5]).view(1, 2, 1, 1).expand(1, 2, 20, 20)
    torch.testing.assert_close(LaplacianPyramid(base)(sources), torch.full((1, 1, 20, 20), background))


def test_laplacian_keeps_the_detail_of_both_sources():
    sources = torch.full((1, 2, 64, 64), 0.5)
    sources[0, 0, 16, 16], sources[0, 1, 48, 48] = 0.9, 0.2
    fused = LaplacianPyramid()(sources)[0, 0]
    assert fused[16, 16] > 0.85
    assert fused[48, 48] < 0.25


def test_laplacian_refuses_an_unknown_base():
    with pytest.raises(ValueError) as refusal:
        LaplacianPyramid("median")
    assert (
        str(refusal.value) == 'The base of a Laplacian pyramid is fused by "max" or "mean", not by "median".'
    )


def test_strongest_coefficient_keeps_its_sign_and_prefers_the_positive_of_a_tie():
    coefficients = torch.tensor([[0.1, -0.5, 0.3, 0.0], [-0.4, 0.2, -0.3, 0.0]]).view(1, 2, 1, 4)
    assert strongest(coefficients).flatten().tolist() == pytest.approx([-0.4, -0.5, 0.3, 0.0])


@pytest.mark.parametrize("shape", [(64, 64), (31, 45)], ids=str)
def test_wavelet_fusion_agrees_with_one_pair_at_a_time(shape):
    pairs = 0.3 + 0.4 * sources_of(2, 3, 2, *shape)
    fused = WaveletMaximum()(torch.from_numpy(pairs))
    for pair, result in zip(pairs, fused, strict=True):
        levels = min(3, pywt.dwt_max_level(min(shape), "db2"))
        first, second = (pywt.wavedec2(source, "db2", level=levels) for source in pair)
        arrays, slices = zip(*(pywt.coeffs_to_array(transform) for transform in (first, second)), strict=True)
        chosen = np.where(np.abs(arrays[0]) >= np.abs(arrays[1]), *arrays)
        approximation = slices[0][0]
        chosen[approximation] = np.maximum(arrays[0][approximation], arrays[1][approximation])
        coefficients = pywt.array_to_coeffs(chosen, slices[0], output_format="wavedec2")
        expected = pywt.waverec2(coefficients, "db2")[: shape[0], : shape[1]]
        np.testing.assert_allclose(result[0], expected.clip(0, 1), atol=1e-12)


def test_wavelet_fusion_of_an_image_with_black_shows_the_image():
    # Zero coefficients lose everywhere except in an approximation, which is positive here.
    image = torch.from_numpy(sources_of(3, 1, 1, 40, 40))
    fused = WaveletMaximum()(torch.cat((image, torch.zeros_like(image)), 1))
    torch.testing.assert_close(fused, image)
