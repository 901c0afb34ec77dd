"""Pictures of fused images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from monai.data import MetaTensor

from volfuse.fusion.steps import Steps

_INCHES_PER_PANEL = 2.6


def draw_case(steps: Steps, sources: Sequence[Path], fused: MetaTensor, path: Path) -> Path:
    """Draw two sources, their 50/50 overlay and the fused image in three planes; returns ``path``.

    The planes cross where the second source is brightest.

    Args:
        steps: what fused them, in axial slices; the sources are shown in the same windows and colours.
        sources: the two image files that were fused.
        fused: the fused volume, as ``FusionPipeline.fuse`` returns it.
        path: a PNG file to write.
    """
    first, second = (source.expand(3, -1, -1, -1) for source in steps.shown(sources))
    seen = steps.seen(fused)
    volumes = {
        "Source A": first,
        "Source B": second,
        "Overlay 50/50": (first + second) / 2,
        "Fused": seen.as_tensor().expand(3, -1, -1, -1),
    }
    smoothed = F.avg_pool3d(second.mean(0)[None, None], 5, stride=1, padding=2)[0, 0]
    center = [int(index) for index in torch.unravel_index(smoothed.argmax(), smoothed.shape)]
    spacing = seen.affine[:3, :3].norm(dim=0).tolist()

    figure = Figure(figsize=(_INCHES_PER_PANEL * len(volumes), _INCHES_PER_PANEL * 3), facecolor="black")
    panels = figure.subplots(3, len(volumes))
    for column, (title, volume) in enumerate(volumes.items()):
        panels[0, column].set_title(title, color="white")
        for row, (picture, aspect) in enumerate(_three_planes(volume, center, spacing)):
            panels[row, column].imshow(picture, aspect=aspect, interpolation="nearest")
            panels[row, column].axis("off")
    figure.tight_layout(pad=0.3)
    figure.savefig(path, dpi=110)
    return path


def _three_planes(
    volume: torch.Tensor, center: Sequence[int], spacing: Sequence[float]
) -> list[tuple[np.ndarray, float]]:
    """Cut (3, H, W, D) with rows to posterior, columns to left and slices to superior; returns (picture, aspect)."""
    row, column, slice_ = center
    dy, dx, dz = spacing
    axial = volume[:, :, :, slice_]
    coronal = volume[:, row].flip(-1).transpose(1, 2)
    sagittal = volume[:, :, column].flip(-1).transpose(1, 2)
    cuts = [(axial, dy / dx), (coronal, dz / dx), (sagittal, dz / dy)]
    return [(cut.movedim(0, -1).numpy(), aspect) for cut, aspect in cuts]
