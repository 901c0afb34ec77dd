"""Gaussian and Laplacian pyramids of Burt and Adelson.

Burt and Adelson 1983, "The Laplacian pyramid as a compact image code", IEEE Transactions on Communications 31(4),
532-540, with the binomial kernel (their a = 3/8). At the border the kernel is cut and weighed anew.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from volfuse.numerics.windows import window_matrix

KERNEL = (1.0, 4.0, 6.0, 4.0, 1.0)
_RADIUS = len(KERNEL) // 2


def laplacian_pyramid(images: Tensor, levels: int) -> list[Tensor]:
    """Split images into details of ever coarser scales and what is left of them.

    Args:
        images: (..., H, W), any range and any size from 1x1 up.
        levels: number of details.

    Returns:
        ``levels`` details, the finest (..., H, W) first, each half the size of the one before, rounded up; then the
        base, the image reduced ``levels`` times.
    """
    pyramid = []
    for _ in range(levels):
        coarser = reduce(images)
        pyramid.append(images - expand(coarser, images.shape))
        images = coarser
    return [*pyramid, images]


def reconstruct(pyramid: Sequence[Tensor]) -> Tensor:
    """Put together what :func:`laplacian_pyramid` split."""
    *details, images = pyramid
    for detail in reversed(details):
        images = expand(images, detail.shape) + detail
    return images


def reduce(images: Tensor) -> Tensor:
    """Smooth and keep every other row and column, (..., H, W) -> (..., ceil(H / 2), ceil(W / 2))."""
    kernel = images.new_tensor(KERNEL)
    fine = [torch.arange(size, device=images.device) for size in images.shape[-2:]]
    rows, columns = (window_matrix(axis[::2] - _RADIUS, axis, kernel) for axis in fine)
    return rows @ images @ columns.T


def expand(images: Tensor, shape: Sequence[int]) -> Tensor:
    """Interpolate what ``reduce`` made of images of this shape back to their size, (..., h, w) -> (..., H, W)."""
    kernel = images.new_tensor(KERNEL)
    fine = [torch.arange(size, device=images.device) for size in shape[-2:]]
    rows, columns = (window_matrix(axis - _RADIUS, axis[::2], kernel) for axis in fine)
    return rows @ images @ columns.T
