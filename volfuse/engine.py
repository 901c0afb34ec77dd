"""What lets MONAI's trainers and evaluators work without labels."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from monai.engines import PrepareBatch
from monai.handlers import IgniteMetricHandler, from_engine
from torch import Tensor

from volfuse.metrics import FusionMetric


class FusionPrepareBatch(PrepareBatch):
    """Give the sources as the label too: losses and metrics compare the fused image with them."""

    def __call__(
        self,
        batchdata: dict[str, Tensor],
        device: str | torch.device | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor]:
        """Return ``batchdata["image"]`` (B, N, ...) twice, on ``device``."""
        sources = batchdata["image"].to(device=device, non_blocking=non_blocking, **kwargs)
        return sources, sources


def fusion_metric_handlers(metrics: Mapping[str, tuple[str, str]]) -> dict[str, IgniteMetricHandler]:
    """Return metric handlers for an evaluator that compares ``pred`` with the sources.

    Args:
        metrics: per column title the name of a metric and its convention, e.g. ``{"SF": ("sf", "published")}``.
    """
    return {
        title: IgniteMetricHandler(
            metric_fn=FusionMetric(name, convention=convention),
            output_transform=from_engine(["pred", "label"]),
        )
        for title, (name, convention) in metrics.items()
    }


def newest_checkpoint(folder: str | Path) -> str | None:
    """Return the checkpoint in ``folder`` of the latest epoch, or ``None`` to start from the beginning."""
    checkpoints = Path(folder).glob("checkpoint_epoch=*.pt")
    return str(max(checkpoints, key=_epoch, default="")) or None


def _epoch(checkpoint: Path) -> int:
    return int(checkpoint.stem.split("=")[1])
