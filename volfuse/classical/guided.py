"""GFF: fusion by weight maps that a guided filter fits to the edges of each source.

Li, Kang and Hu 2013, "Image fusion with guided filtering", IEEE Transactions on Image Processing 22(7), 2864-2875.
Guided filter: He, Sun and Tang 2013, "Guided image filtering", IEEE TPAMI 35(6), 1397-1409.
All constants are the paper's.
"""

import torch
from torch import Tensor

from volfuse.classical.rule import FusionRule
from volfuse.classical.selection import winners
from volfuse.numerics.laplacian import laplacian
from volfuse.numerics.windows import box_mean, gaussian_mean

BASE_RADIUS = 15
SALIENCY_SIGMA, SALIENCY_RADIUS = 5.0, 5
BASE_GUIDANCE = 45, 0.3  # radius and epsilon of the guided filter
DETAIL_GUIDANCE = 7, 1e-6


class GuidedFilterFusion(FusionRule):
    """Base and detail of each source, weighed where the source is the most salient one.

    Where several sources are equally salient (the empty background) each gets the initial weight one, which is
    how the paper defines its weight maps. The authors' program gives such pixels to the first source instead, so its
    result depends on the order of the sources.
    """

    def fuse(self, sources: Tensor) -> Tensor:
        """(B, N, H, W) -> (B, 1, H, W)."""
        salient = winners(saliency(sources))
        base = box_mean(sources, BASE_RADIUS)
        base_weights = _shares(guided_filter(sources, salient, *BASE_GUIDANCE))
        detail_weights = _shares(guided_filter(sources, salient, *DETAIL_GUIDANCE))
        return (base_weights * base + detail_weights * (sources - base)).sum(1, keepdim=True)


def saliency(images: Tensor) -> Tensor:
    """Gaussian mean of the magnitude of the Laplacian, (B, N, H, W) -> (B, N, H, W)."""
    return gaussian_mean(laplacian(images).abs(), SALIENCY_SIGMA, SALIENCY_RADIUS)


def guided_filter(guide: Tensor, images: Tensor, radius: int, epsilon: float) -> Tensor:
    """Smooth images while following the edges of a guide of the same shape, (..., H, W) -> (..., H, W).

    Args:
        guide: (..., H, W).
        images: (..., H, W).
        radius: of the square window in which the result is an affine function of the guide.
        epsilon: variance of the guide below which it counts as flat.
    """
    products = torch.stack((guide, images, guide * images, guide * guide))
    guide_mean, image_mean, joint_mean, square_mean = box_mean(products, radius)
    slope = (joint_mean - guide_mean * image_mean) / (square_mean - guide_mean**2 + epsilon)
    slope_mean, offset_mean = box_mean(torch.stack((slope, image_mean - slope * guide_mean)), radius)
    return slope_mean * guide + offset_mean


def _shares(weights: Tensor) -> Tensor:
    """Weights cut to 0..1 that sum to one over the sources; equal where all of them vanish."""
    weights = weights.clamp(0, 1) + 1e-6
    return weights / weights.sum(1, keepdim=True)
