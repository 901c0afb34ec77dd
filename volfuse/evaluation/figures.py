"""Pictures of fused images."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from monai.transforms import Compose

from volfuse.fusion.pipeline import FusionOptions
from volfuse.imaging import (
    ApplyWindowsd,
    LoadSourcesd,
    MatchReferenced,
    OrientSlicesd,
    apply_table,
    color_table,
)

_INCHES_PER_PANEL = 2.6


def draw_case(sources: Sequence[Path], fused: Path, options: FusionOptions, path: Path) -> Path:
    """Draw two sources, their 50/50 overlay and the fused image in three planes; returns ``path``.

    The planes cross where the second source is brightest.

    Args:
        sources: the two image files that were fused.
        fused: the fused volume.
        options: how it was fused: the sources are shown through the same windows and colour maps.
        path: a PNG file to write.
    """
    keys = ["first", "second"]
    values = options.config_values(num_sources=2)
    load = Compose(
        [
            LoadSourcesd([*keys, "fused"]),
            OrientSlicesd([*keys, "fused"], "axial"),
            ApplyWindowsd([*keys, "fused"], [*values["windows"], None]),
            MatchReferenced([*keys, "fused"]),
        ]
    )
    case = load({"first": sources[0], "second": sources[1], "fused": fused})
    tables = values["colormaps"] or [None, None]
    first, second = (_rgb(case[key], table) for key, table in zip(keys, tables, strict=True))
    volumes = {
        "Source A": first,
        "Source B": second,
        "Overlay 50/50": (first + second) / 2,
        "Fused": _rgb(case["fused"], None),
    }
    smoothed = F.avg_pool3d(case["second"].as_tensor()[None], 5, stride=1, padding=2)[0, 0]
    center = [int(index) for index in torch.unravel_index(smoothed.argmax(), smoothed.shape)]
    spacing = case["first"].affine[:3, :3].norm(dim=0).tolist()

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


def _rgb(source: torch.Tensor, table: np.ndarray | None) -> torch.Tensor:
    values = source.as_tensor().clamp(0, 1)
    if table is not None:
        return apply_table(values[0], color_table(table))
    return values.expand(3, *values.shape[1:])


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
