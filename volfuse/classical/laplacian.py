"""Fusion in a Laplacian pyramid: the strongest detail of every scale wins.

Pyramid: Burt and Adelson 1983, "The Laplacian pyramid as a compact image code", IEEE Transactions on
Communications 31(4), 532-540, with the binomial kernel (their a = 3/8). Fusion by the largest magnitude: Burt 1984,
"The pyramid as a structure for efficient computation".
"""

from typing import Literal

import torch
from torch import Tensor

from volfuse.classical.rule import FusionRule
from volfuse.classical.selection import strongest
from volfuse.classical.windows import window_matrix

LEVELS = 4
KERNEL = (1.0, 4.0, 6.0, 4.0, 1.0)


class LaplacianPyramid(FusionRule):
    """Strongest detail of four scales on top of the brightest, or the mean, base.

    Args:
        base: how the coarsest level is fused. "max" keeps what shines in one modality only (bone in CT, uptake in
            PET); "mean" is the older choice.

    Raises:
        ValueError: if the base is neither "max" nor "mean".
    """

    def __init__(self, base: Literal["max", "mean"] = "max") -> None:
        super().__init__()
        if base not in ("max", "mean"):
            raise ValueError(f'The base of a Laplacian pyramid is fused by "max" or "mean", not by "{base}".')
        self.base = base

    def fuse(self, sources: Tensor) -> Tensor:
        """(B, N, H, W) -> (B, 1, H, W)."""
        details = []
        level = sources
        for _ in range(LEVELS):
            coarser = reduce(level)
            details.append(strongest(level - expand(coarser, level.shape)))
            level = coarser
        fused = level.amax(1, keepdim=True) if self.base == "max" else level.mean(1, keepdim=True)
        for detail in reversed(details):
            fused = expand(fused, detail.shape) + detail
        return fused


def reduce(images: Tensor) -> Tensor:
    """Smooth and keep every other row and column, (..., H, W) -> (..., ceil(H / 2), ceil(W / 2))."""
    rows, columns = (
        window_matrix(*_grids(size, images.device), images.new_tensor(KERNEL)) for size in images.shape[-2:]
    )
    return rows @ images @ columns.T


def expand(images: Tensor, shape: torch.Size) -> Tensor:
    """Interpolate what ``reduce`` made of images of this shape back to their size, (..., h, w) -> (..., H, W)."""
    rows, columns = (
        window_matrix(*reversed(_grids(size, images.device)), images.new_tensor(KERNEL))
        for size in shape[-2:]
    )
    return rows @ images @ columns.T


def _grids(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Positions along one axis of the coarse and of the fine pixels."""
    fine = torch.arange(size, device=device)
    return fine[::2], fine
