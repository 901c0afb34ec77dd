"""Separable weighted means over windows that are cut, and weighed anew, at the image border.

Every mean is two small matrix products: exact for any size from 1x1 up, no padding, as fast for a window of
91 pixels as for one of 3, and in float32 more precise than running sums.
"""

import torch
from torch import Tensor


def window_matrix(centres: Tensor, samples: Tensor, weights: Tensor) -> Tensor:
    """Matrix that takes samples along one axis to their weighted means around the centres.

    Args:
        centres: (M,) integer positions of the results.
        samples: (L,) integer positions of the input.
        weights: (2 R + 1,) weights for the distances -R..R; farther samples count nothing.

    Returns:
        (M, L), each row sums to one.
    """
    radius = len(weights) // 2
    distances = samples[None] - centres[:, None]
    inside = distances.abs() <= radius
    matrix = torch.where(inside, weights[(distances + radius).clamp(0, 2 * radius)], 0)
    return matrix / matrix.sum(1, keepdim=True)


def window_mean(images: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean over a square window around each pixel, (..., H, W) -> (..., H, W).

    Args:
        images: (..., H, W), any range.
        weights: (2 R + 1,) weights along either axis, on the device of the images.
    """
    rows, columns = (torch.arange(size, device=images.device) for size in images.shape[-2:])
    return window_matrix(rows, rows, weights) @ images @ window_matrix(columns, columns, weights).T


def box_mean(images: Tensor, radius: int) -> Tensor:
    """Plain mean over (2 radius + 1)^2 pixels, (..., H, W) -> (..., H, W)."""
    return window_mean(images, images.new_ones(2 * radius + 1))


def gaussian_mean(images: Tensor, sigma: float, radius: int) -> Tensor:
    """Gaussian mean over (2 radius + 1)^2 pixels, (..., H, W) -> (..., H, W)."""
    distances = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
    return window_mean(images, torch.exp(-(distances**2) / (2 * sigma**2)))
