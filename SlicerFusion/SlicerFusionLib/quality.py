"""The quality values that the panel shows, in plain words, and how they stay with a fused volume."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import slicer

_ATTRIBUTE = "SlicerFusion.Quality"


@dataclass(frozen=True)
class Quality:
    """One row of the table.

    Attributes:
        metric: its name in ``volfuse.metrics.METRICS``.
        title: what it says, in plain words.
        explanation: its name in the literature, its range and which direction is better.
    """

    metric: str
    title: str
    explanation: str


QUALITIES = (
    Quality(
        "ssim", "Structure kept", "Structural similarity to both sources (SSIM): -1 to 1, higher is better."
    ),
    Quality(
        "qabf",
        "Edges kept",
        "How well the edges of both sources are kept (Q^AB/F): 0 to 0.975, higher is better.",
    ),
    Quality("nabf", "False edges", "Edges that neither source has (N^AB/F): 0 to 1, lower is better."),
    Quality("mi", "Information kept", "Mutual information with both sources (MI) in bits, higher is better."),
    Quality("vif", "Detail visible", "Visual information fidelity (VIF): 0 and up, higher is better."),
)


def keep_quality(volume: slicer.vtkMRMLVolumeNode, values: Mapping[str, float | None]) -> None:
    """Note the quality values on a fused volume; ``None`` stands for one that is not defined."""
    volume.SetAttribute(_ATTRIBUTE, json.dumps(dict(values)))


def quality_of(volume: slicer.vtkMRMLVolumeNode) -> dict[str, float | None]:
    """Return the quality values noted on a fused volume, by metric; nothing if there are none."""
    return json.loads(volume.GetAttribute(_ATTRIBUTE) or "{}")
