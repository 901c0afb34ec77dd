"""Numbers about a case that need no ground truth: how well it fuses, how much models disagree, what it looks like."""

from collections.abc import Sequence
from itertools import combinations
from statistics import fmean

import torch
import torch.nn.functional as F
from torch import Tensor

from volfuse.imaging import slices_with_content
from volfuse.metrics import METRICS
from volfuse.numerics.sobel import sobel
from volfuse.numerics.ssim import ssim

MOST_SLICES = 16
"""Slices of a case that are looked at: scoring a folder must not take longer than fusing it."""


def scored_slices(sources: Tensor) -> list[int]:
    """Return the slices that are looked at: some in which every source shows something, or any if there are none."""
    return slices_with_content(sources, MOST_SLICES) or list(range(min(MOST_SLICES, sources.shape[-1])))


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
