"""What every metric does with its arguments before it computes anything."""

from typing import get_args

import torch
from monai.data import MetaTensor
from torch import Tensor

from volfuse.choices import Convention

GREY_LEVELS = 256


def prepare(fused: Tensor, sources: Tensor, minimum_size: int = 2) -> tuple[Tensor, Tensor]:
    """Check the shapes and go to double precision.

    Double precision keeps sums over a slice exact to far below the third digit that tables print, and mixed
    precision leaves it alone: a metric inside ``torch.autocast`` gives what it gives outside.

    Args:
        fused: (B, 1, H, W).
        sources: (B, N, H, W), N at least 2.
        minimum_size: the smallest height and width for which the metric is defined.

    Raises:
        ValueError: the shapes do not fit each other or the metric.
    """
    if fused.ndim != 4 or fused.shape[1] != 1:
        raise ValueError(f"fused must have shape (B, 1, H, W), got {tuple(fused.shape)}.")
    if sources.ndim != 4 or sources.shape[1] < 2:
        raise ValueError(
            f"sources must have shape (B, N, H, W) with N at least 2, got {tuple(sources.shape)}."
        )
    if fused.shape[0] != sources.shape[0] or fused.shape[2:] != sources.shape[2:]:
        raise ValueError(
            "fused and sources must agree in batch size, height and width, "
            f"got {tuple(fused.shape)} and {tuple(sources.shape)}."
        )
    if min(fused.shape[2:]) < minimum_size:
        height, width = fused.shape[2:]
        raise ValueError(
            f"this metric needs images of at least {minimum_size}x{minimum_size} pixels, got {height}x{width}."
        )
    precision = working_precision(fused.device)
    return plain_tensor(fused).to(precision), plain_tensor(sources).to(precision)


def working_precision(device: torch.device) -> torch.dtype:
    """Double precision, except on Apple's GPUs, which know none."""
    return torch.float32 if device.type == "mps" else torch.float64


def plain_tensor(images: Tensor) -> Tensor:
    """The images without MONAI's geometry, which would travel through every operation."""
    return images.as_tensor() if isinstance(images, MetaTensor) else images


def is_published(convention: Convention) -> bool:
    """Return whether a convention is the papers' arithmetic.

    Raises:
        ValueError: the convention is neither ``"reference"`` nor ``"published"``.
    """
    if convention not in get_args(Convention):
        raise ValueError(f"convention must be 'reference' or 'published', got {convention!r}.")
    return convention == "published"


def grey_levels(images: Tensor) -> Tensor:
    """Images of 0..1 as 8-bit grey levels, ``int64``; values outside 0..1 saturate."""
    return (images * (GREY_LEVELS - 1)).round().clamp(0, GREY_LEVELS - 1).long()
