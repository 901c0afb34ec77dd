"""Numbers about a case that need no ground truth: how well it fuses, how much models disagree, what it looks like."""

from collections.abc import Sequence
from itertools import combinations
from statistics import fmean

import torch
import torch.nn.functional as F
from torch import Tensor

from volfuse.metrics import METRICS
from volfuse.numerics.sobel import sobel
from volfuse.numerics.ssim import ssim

MOST_SLICES = 16
"""Slices of a case that are looked at: scoring a folder must not take longer than fusing it."""


def telling_slices(sources: Tensor, most: int = MOST_SLICES) -> list[int]:
    """Choose slices, evenly spaced, in which every source shows something.

    Args:
        sources: (N, H, W, D), values 0..1.
        most: how many at most.

    Returns:
        Slice numbers in order; every slice counts if none shows all sources.
    """
    voxels = sources.flatten(1, 2)
    shown = (voxels.amax(1) > voxels.amin(1)).all(0).nonzero().flatten().tolist() or range(sources.shape[-1])
    count = min(most, len(shown))
    return [shown[(2 * number + 1) * len(shown) // (2 * count)] for number in range(count)]


def slices_of(volume: Tensor, numbers: Sequence[int]) -> Tensor:
    """Return slices of (C, H, W, D) as a batch (B, C, H, W)."""
    return volume[..., list(numbers)].movedim(-1, 0)


def quality(fused: Tensor, sources: Tensor) -> float:
    """How much of the sources' edges the fused slices keep: the mean Q^AB/F (0..1, higher is better).

    Args:
        fused: (B, 1, H, W), values 0..1.
        sources: (B, N, H, W), values 0..1.
    """
    return METRICS["qabf"](fused, sources).mean().item()


def disagreement(fused: Sequence[Tensor]) -> float:
    """How differently models fuse the same slices: the mean of 1 - SSIM over all pairs of models (0..2).

    Args:
        fused: per model (B, 1, H, W), values 0..1. Fewer than two give 0.
    """
    similarities = [ssim(first, second).mean().item() for first, second in combinations(fused, 2)]
    return 1 - fmean(similarities) if similarities else 0.0


def appearance(sources: Tensor, regions: int = 4) -> list[float]:
    """Describe what a case looks like: brightness and strength of edges of each source, region by region.

    Args:
        sources: (B, N, H, W), values 0..1.
        regions: the slices are divided into regions x regions parts.

    Returns:
        2 * N * regions * regions numbers, the mean over the slices.
    """
    strength = torch.hypot(*sobel(sources))
    maps = torch.cat([sources, strength], dim=1).mean(0, keepdim=True)
    return F.adaptive_avg_pool2d(maps, regions).flatten().tolist()
