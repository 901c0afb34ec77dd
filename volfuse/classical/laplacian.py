"""Fusion in a Laplacian pyramid: the strongest detail of every scale wins.

Burt 1984, "The pyramid as a structure for efficient computation", in Multiresolution Image Processing and Analysis.
"""

from typing import Literal

from torch import Tensor

from volfuse.classical.rule import FusionRule
from volfuse.classical.selection import strongest
from volfuse.numerics.pyramids import laplacian_pyramid, reconstruct

LEVELS = 4


class LaplacianPyramid(FusionRule):
    """Strongest detail of four scales on top of the brightest, or the mean, base.

    Args:
        base: how the coarsest level is fused. "max" keeps what is bright in one modality only (bone in CT, uptake in
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
        *details, base = laplacian_pyramid(sources, LEVELS)
        fused = base.amax(1, keepdim=True) if self.base == "max" else base.mean(1, keepdim=True)
        return reconstruct([*map(strongest, details), fused])
