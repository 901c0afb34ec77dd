"""All fusion metrics as one MONAI metric, so that a bundle's JSON can name them."""

from typing import Any

import torch
from monai.metrics import CumulativeIterationMetric
from monai.metrics.utils import do_metric_reduction
from monai.utils import MetricReduction
from torch import Tensor

from volfuse.choices import Convention
from volfuse.metrics.inputs import is_published
from volfuse.metrics.registry import find_metric


class FusionMetric(CumulativeIterationMetric):
    """A metric of :data:`volfuse.metrics.METRICS` that collects values over batches.

    Call it with batches ``(B, 1, H, W)`` and ``(B, N, H, W)``, or with lists of ``(1, H, W)`` and ``(N, H, W)`` as
    MONAI's decollated batches are. In a bundle::

        "metric": {"_target_": "volfuse.metrics.FusionMetric", "metric": "qabf"},
        "handler": {
            "_target_": "IgniteMetricHandler",
            "metric_fn": "@metric",
            "output_transform": "$monai.handlers.from_engine(['pred', 'image'])"
        }

    Args:
        metric: name in :data:`volfuse.metrics.METRICS`.
        convention: ``"reference"``, or ``"published"`` for the papers' arithmetic.
        reduction: how :meth:`aggregate` reduces over images, a mode of MONAI's ``MetricReduction``.

    Example:
        >>> metric = FusionMetric(metric="sd")
        >>> values = metric(y_pred=torch.zeros(2, 1, 16, 16), y=torch.rand(2, 2, 16, 16))
        >>> values.shape, metric.aggregate().item()
        (torch.Size([2, 1]), 0.0)
    """

    def __init__(
        self,
        metric: str,
        convention: Convention = "reference",
        reduction: MetricReduction | str = MetricReduction.MEAN,
    ) -> None:
        super().__init__()
        is_published(convention)
        self.metric = find_metric(metric)
        self.convention = convention
        self.reduction = reduction

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None, **kwargs: Any) -> Tensor:
        """(B, 1) values; MONAI's reductions expect a channel axis."""
        if y is None:
            raise ValueError("FusionMetric needs the sources as y.")
        return self.metric(y_pred, y, convention=self.convention)[:, None]

    def aggregate(self, reduction: MetricReduction | str | None = None) -> Tensor:
        """Reduce the values of all images seen since the last reset.

        Args:
            reduction: overrides the mode given to the constructor.

        Raises:
            ValueError: no image has been seen.
        """
        values = self.get_buffer()
        if not isinstance(values, torch.Tensor):
            raise ValueError("FusionMetric has seen no image since the last reset.")
        return do_metric_reduction(values, reduction or self.reduction)[0]
