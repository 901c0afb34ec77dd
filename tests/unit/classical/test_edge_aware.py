"""Guided filter and JBF-LGE fusion, and the windows below them, against plain loops and known images."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import laplace, sobel, uniform_filter

from volfuse.classical import GuidedFilterFusion, JointBilateralGradientEnergy
from volfuse.classical.bilateral import joint_bilateral_filter, local_gradient_energy
from volfuse.classical.guided import guided_filter, saliency
from volfuse.numerics.windows import box_mean, gaussian_mean


def random_image(seed, *shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def plain_mean(image, radius, weigh=lambda distance: 1.0):
    """Weighted mean over the pixels inside the image, one pixel at a time."""
    result = np.empty_like(image)
    for row, column in np.ndindex(image.shape):
        rows = [r for r in range(image.shape[0]) if abs(r - row) <= radius]
        columns = [c for c in range(image.shape[1]) if abs(c - column) <= radius]
        weights = np.outer([weigh(r - row) for r in rows], [weigh(c - column) for c in columns])
        result[row, column] = (image[np.ix_(rows, columns)] * weights).sum() / weights.sum()
    return result


def test_guided_filter_agrees_with_scipy_away_from_the_border():
    guide, image, radius, epsilon = random_image(1, 60, 60), random_image(2, 60, 60), 4, 0.01

    def mean(values):
        return uniform_filter(np.asarray(values), 2 * radius + 1)

    slope = (mean(guide * image) - mean(guide) * mean(image)) / (mean(guide**2) - mean(guide) ** 2 + epsilon)
    offset = mean(image) - slope * mean(guide)
    expected = mean(slope) * guide.numpy() + mean(offset)
    inner = (slice(2 * radius, -2 * radius),) * 2
    np.testing.assert_allclose(
        guided_filter(guide, image, radius, epsilon)[inner], expected[inner], atol=1e-10
    )


def test_guided_filter_copies_an_affine_function_of_a_sharp_guide():
    guide = random_image(3, 40, 40)
    image = 0.7 * guide + 0.1
    torch.testing.assert_close(guided_filter(guide, image, 5, 1e-9), image, rtol=0, atol=1e-6)


def test_guided_filter_with_a_flat_guide_is_two_box_means():
    image = random_image(4, 30, 30)
    expected = box_mean(box_mean(image, 3), 3)
    torch.testing.assert_close(guided_filter(torch.full_like(image, 0.5), image, 3, 1e-6), expected)


def test_saliency_of_a_ramp_is_zero_inside():
    ramp = torch.arange(40.0).div(40).expand(1, 1, 40, 40)
    assert saliency(ramp)[..., 10:30].abs().max() < 1e-5


def test_guided_fusion_agrees_with_plain_numpy():
    sources = random_image(12, 2, 26, 31).numpy()
    sources[:, :12, :12] = 0

    def refine(guide, weight, radius, epsilon):
        covariance = plain_mean(guide * weight, radius) - plain_mean(guide, radius) * plain_mean(
            weight, radius
        )
        slope = covariance / (plain_mean(guide**2, radius) - plain_mean(guide, radius) ** 2 + epsilon)
        offset = plain_mean(weight, radius) - slope * plain_mean(guide, radius)
        return (plain_mean(slope, radius) * guide + plain_mean(offset, radius)).clip(0, 1) + 1e-6

    laplacians = [np.abs(laplace(source, mode="nearest")) for source in sources]
    saliencies = np.stack(
        [plain_mean(one, 5, lambda distance: math.exp(-(distance**2) / 50)) for one in laplacians]
    )
    initial = (saliencies == saliencies.max(0)).astype(float)
    bases = np.stack([plain_mean(source, 15) for source in sources])
    expected = 0
    for layers, radius, epsilon in ((bases, 45, 0.3), (sources - bases, 7, 1e-6)):
        weights = np.stack([refine(*pair, radius, epsilon) for pair in zip(sources, initial, strict=True)])
        expected = expected + (weights / weights.sum(0) * layers).sum(0)
    fused = GuidedFilterFusion()(torch.from_numpy(sources)[None])
    np.testing.assert_allclose(fused[0, 0], expected.clip(0, 1), atol=1e-8)


def test_guided_fusion_takes_the_texture_from_where_it_is():
    # Each source has texture in one half and a flat 0.5 in the other.
    texture = 0.5 + 0.3 * (torch.rand(64, 128, generator=torch.Generator().manual_seed(5)) - 0.5)
    sources = torch.full((1, 2, 64, 128), 0.5)
    sources[0, 0, :, :64], sources[0, 1, :, 64:] = texture[:, :64], texture[:, 64:]
    fused = GuidedFilterFusion()(sources)[0, 0]
    away_from_the_seam = torch.cat((fused[:, :44], fused[:, 84:]), 1)
    expected = torch.cat((texture[:, :44], texture[:, 84:]), 1)
    assert (away_from_the_seam - expected).abs().mean() < 0.02
    assert (sources.mean(1)[0] - texture).abs().mean() > 0.035


@pytest.mark.parametrize("shape", [(12, 15), (25, 4)], ids=str)
def test_joint_bilateral_filter_agrees_with_a_plain_loop(shape):
    image, guide = random_image(6, *shape), random_image(7, *shape) * 0.2
    expected = torch.empty_like(image)
    for row, column in np.ndindex(*shape):
        total = weight = 0.0
        for other_row in range(max(0, row - 9), min(shape[0], row + 10)):
            for other_column in range(max(0, column - 9), min(shape[1], column + 10)):
                distance = ((row - other_row) ** 2 + (column - other_column) ** 2) / (2 * 3**2)
                difference = (guide[row, column] - guide[other_row, other_column]).item()
                mutual = math.exp(-distance - difference**2 / (2 * 0.05**2))
                total += mutual * image[other_row, other_column].item()
                weight += mutual
        expected[row, column] = total / weight
    filtered = joint_bilateral_filter(image[None, None], guide[None, None])[0, 0]
    torch.testing.assert_close(filtered, expected, rtol=0, atol=1e-12)


def test_joint_bilateral_filter_does_not_cross_an_edge_of_the_guide():
    guide = torch.zeros(1, 1, 30, 30)
    guide[..., 15:] = 1
    image = random_image(8, 1, 1, 30, 30).float()
    altered = image.clone()
    altered[..., 15:] = 0
    left = (..., slice(0, 15))
    torch.testing.assert_close(
        joint_bilateral_filter(image, guide)[left], joint_bilateral_filter(altered, guide)[left]
    )


def test_local_gradient_energy_is_cubic_in_contrast_and_zero_where_flat():
    structure = random_image(9, 1, 1, 20, 20) - 0.5
    torch.testing.assert_close(local_gradient_energy(2 * structure), 8 * local_gradient_energy(structure))
    assert local_gradient_energy(torch.full((1, 1, 20, 20), 0.3)).abs().max() == 0


def test_jbf_lge_fusion_agrees_with_plain_numpy():
    sources = random_image(13, 1, 2, 30, 36)
    energy = joint_bilateral_filter(sources, gaussian_mean(sources, 3.0, 9))[0].numpy()
    structure = sources[0].numpy() - energy
    gradients = [sobel(one, 0, mode="nearest") ** 2 + sobel(one, 1, mode="nearest") ** 2 for one in structure]
    first, second = (g * plain_mean(np.abs(one), 4) for g, one in zip(gradients, structure, strict=True))
    votes = plain_mean((first > second).astype(float), 10)
    share = np.where(np.isclose(votes, 0.5), 0.5, votes > 0.5)
    expected = energy.max(0) + share * structure[0] + (1 - share) * structure[1]
    fused = JointBilateralGradientEnergy()(sources)
    np.testing.assert_allclose(fused[0, 0], expected.clip(0, 1), atol=1e-10)


def test_jbf_lge_keeps_bright_energy_and_the_stronger_structure():
    # A flat bright source and a dark textured one: brightness of the first, texture of the second.
    texture = 0.2 + 0.02 * (torch.rand(48, 48, generator=torch.Generator().manual_seed(10)) - 0.5)
    sources = torch.stack((torch.full((48, 48), 0.7), texture))[None]
    fused = JointBilateralGradientEnergy()(sources)[0, 0]
    structure = texture - joint_bilateral_filter(sources, gaussian_mean(sources, 3.0, 9))[0, 1]
    torch.testing.assert_close(fused, 0.7 + structure, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "rule", [GuidedFilterFusion(), JointBilateralGradientEnergy()], ids=["guided", "jbf_lge"]
)
def test_mirrored_sources_fuse_to_the_mirrored_image(rule):
    sources = random_image(11, 1, 2, 33, 40)
    torch.testing.assert_close(rule(sources.flip(-1)), rule(sources).flip(-1))
    torch.testing.assert_close(rule(sources.mT), rule(sources).mT)
