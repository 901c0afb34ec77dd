"""Fusion by principal component analysis: one weight per source and image.

Naidu and Raol 2008, "Pixel-level image fusion using wavelets and principal component analysis",
Defence Science Journal 58(3), 338-352: the weights are the leading eigenvector of the covariance matrix of
the sources, divided by its sum.
"""

import torch
from torch import Tensor

from volfuse.classical.rule import FusionRule

# Far below the variance of a visible image (0.01 is a faint one), far above the rounding of a covariance.
TIE_BREAK = 1e-7


class PrincipalComponent(FusionRule):
    """Weighted mean of the sources; the one that varies most, and with the others, weighs most.

    The paper assumes sources that vary together. Two departures keep the weights in 0..1 where they do not:
    the eigenvector enters by its magnitudes, and where no direction leads (constant images, uncorrelated
    sources of equal variance) all sources weigh the same.
    """

    def fuse(self, sources: Tensor) -> Tensor:
        """(B, N, H, W) -> (B, 1, H, W)."""
        pixels = sources.flatten(2)
        deviations = pixels - pixels.mean(2, keepdim=True)
        covariance = deviations @ deviations.mT / pixels.shape[2]
        weights = leading_eigenvector(covariance).abs()
        weights = weights / weights.sum(1, keepdim=True)
        return torch.einsum("bn,bnhw->bhw", weights, sources)[:, None]


def leading_eigenvector(covariance: Tensor) -> Tensor:
    """Leading eigenvector of each covariance matrix, (B, N, N) -> (B, N), nearest to equal entries in a tie."""
    # N x N is tiny and not every device offers eigenvalues or double precision, so the CPU does it.
    _, vectors = torch.linalg.eigh(covariance.cpu().double() + TIE_BREAK)
    return vectors[..., -1].to(covariance)
