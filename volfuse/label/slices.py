"""A few slices of a case, and what models make of them: enough to score it, and to learn from it."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from volfuse.imaging import slices_of
from volfuse.label.activelearning.scores import scored_slices
from volfuse.label.models import loaded

_READER = "average"
"""Any model: all prepare images alike."""


def read_slices(files: Sequence[Path]) -> Tensor:
    """Return slices of a case as networks see them, (B, N, H, W), values 0..1.

    Raises:
        FusionError: if an image is unfit for fusion.
    """
    with loaded(_READER) as pipeline:
        sources = pipeline.steps(len(files)).prepare(files)["image"].as_tensor()
    return slices_of(sources, scored_slices(sources))


def fuse_slices(model: str, slices: Tensor) -> Tensor:
    """Return what a model makes of slices (B, N, H, W), values 0..1: (B, 1, H, W), values 0..1.

    Every slice is fused by itself, so these are the slices of the whole fused case.

    Raises:
        FusionError: if there is no such model, or its weights are damaged.
    """
    with loaded(model) as pipeline:
        return pipeline.steps(slices.shape[1]).infer(slices)[:, :1]
