"""What a classifier sees of an image: how strong its edges are in every direction, region by region."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from volfuse.numerics.sobel import sobel


def orientation_histograms(images: Tensor, regions: int = 4, orientations: int = 8) -> Tensor:
    """Mean Sobel magnitude by region and edge direction (the idea of Dalal and Triggs 2005, without its blocks).

    Few numbers without any training: a linear classifier on them shows what information an image holds, and
    needs no more cases than a clinic has.

    Args:
        images: (B, 1, H, W), values 0..1.
        regions: the image is divided into regions x regions parts.
        orientations: bins of the gradient's direction over half a turn; bin 0 is centred on the direction along x.

    Returns:
        (B, orientations * regions * regions), one direction after the other.
    """
    horizontal, vertical = sobel(images)
    direction = torch.atan2(vertical, horizontal) / math.pi * orientations
    bins = direction.round().long().remainder(orientations)
    strength = torch.hypot(horizontal, vertical)
    by_orientation = F.one_hot(bins[:, 0], orientations).movedim(-1, 1) * strength
    return F.adaptive_avg_pool2d(by_orientation, regions).flatten(1)
