"""JBF-LGE: a joint bilateral filter splits each source, local gradient energy chooses the structure.

Li, Zhou, Tan et al. 2021, "Multimodal medical image fusion based on joint bilateral filter and local gradient
energy", Information Sciences 569, doi:10.1016/j.ins.2021.04.052; the table of the CSAFusion paper calls it INS.
The constants are those of the authors' public program.

The joint bilateral filter (Petschnigg et al. 2004) is guided by the Gaussian-smoothed source, as in the
rolling guidance filter of Zhang et al. 2014: small structures vanish, large edges return. The program
differs in three ways: it stops one pass earlier, at the Gaussian; its gradient is a backward difference, which shifts
the choice by half a pixel; and a tie goes to the second source instead of being shared.
"""

import torch
from torch import Tensor

from volfuse.classical.rule import FusionRule
from volfuse.classical.selection import winners
from volfuse.numerics.sobel import sobel
from volfuse.numerics.windows import box_mean, gaussian_mean

SPATIAL_SIGMA, RANGE_SIGMA = 3.0, 0.05
WINDOW_RADIUS = 9  # three spatial sigmas
ENERGY_RADIUS = 4
CONSISTENCY_RADIUS = 10


class JointBilateralGradientEnergy(FusionRule):
    """Brightest large-scale energy plus the structure of the source whose local gradient energy is highest."""

    def fuse(self, sources: Tensor) -> Tensor:
        """(B, N, H, W) -> (B, 1, H, W)."""
        energy = joint_bilateral_filter(sources, gaussian_mean(sources, SPATIAL_SIGMA, WINDOW_RADIUS))
        structure = sources - energy
        chosen = _consistent(_shared(local_gradient_energy(structure)))
        return energy.amax(1, keepdim=True) + (chosen * structure).sum(1, keepdim=True)


def joint_bilateral_filter(images: Tensor, guide: Tensor) -> Tensor:
    """Mean of nearby pixels that are similar in the guide, (B, N, H, W) -> (B, N, H, W).

    Args:
        images: (B, N, H, W), any range.
        guide: (B, N, H, W) in 0..1; a difference of ``RANGE_SIGMA`` weighs like a distance of ``SPATIAL_SIGMA``.
    """
    height, width = images.shape[-2:]
    total, weight = images.clone(), torch.ones_like(images)
    # Two pixels weigh the same for each other, so half of the window serves all of it.
    for down in range(min(WINDOW_RADIUS, height - 1) + 1):
        reach = min(WINDOW_RADIUS, width - 1)
        for right in range(1 if down == 0 else -reach, reach + 1):
            here = (..., slice(height - down), slice(max(0, -right), width - max(0, right)))
            there = (..., slice(down, height), slice(max(0, right), width - max(0, -right)))
            difference = ((guide[here] - guide[there]) / RANGE_SIGMA).square()
            distance = (down**2 + right**2) / SPATIAL_SIGMA**2
            mutual = torch.exp(-(difference + distance) / 2)
            total[here] += mutual * images[there]
            total[there] += mutual * images[here]
            weight[here] += mutual
            weight[there] += mutual
    return total / weight


def local_gradient_energy(structure: Tensor) -> Tensor:
    """Salience of the structure tensor times the mean magnitude around, (B, N, H, W) -> (B, N, H, W).

    At a single pixel the structure tensor has rank one, so the authors' salience of its eigenvalues,
    ``sqrt((l1 + l2)^2 + (l1 - l2)^2 / 2)``, is the squared gradient up to a factor that no comparison sees.
    """
    horizontal, vertical = sobel(structure)
    return (horizontal**2 + vertical**2) * box_mean(structure.abs(), ENERGY_RADIUS)


def _shared(scores: Tensor) -> Tensor:
    """One for the winner at each pixel; tied winners share it equally."""
    won = winners(scores)
    return won / won.sum(1, keepdim=True)


def _consistent(choice: Tensor) -> Tensor:
    """The choice of the majority in the neighbourhood."""
    # Votes are fractions of at most 21 x 21 pixels, so rounding removes float error and keeps a tie a tie.
    return _shared(box_mean(choice, CONSISTENCY_RADIUS).round(decimals=5))
