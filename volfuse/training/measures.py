"""What a validation on whole volumes measures: Q^AB/F slice by slice, and how much of a lesion arrives."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
from monai.handlers import IgniteMetricHandler, from_engine
from monai.metrics import CumulativeIterationMetric
from monai.networks.utils import eval_mode
from torch import Tensor, nn

from volfuse.evaluation.insertion import SourcePair, place_lesions
from volfuse.imaging.slices import slices_of
from volfuse.metrics import METRICS, transfer
from volfuse.training.volumes import content_slices

_OUT_OF_PLANE = 3  # the axis of (N, H, W, D) along which networks fuse slice by slice


class _MeanOverCases(CumulativeIterationMetric):
    def aggregate(self) -> Tensor:
        values = self.get_buffer()
        assert isinstance(values, Tensor)
        return values.nanmean()  # NaN: no place for a lesion


class SliceQuality(_MeanOverCases):
    """Mean Q^AB/F of the slices that show something; called with (1, H, W, D) and (N, H, W, D) in lists."""

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None, **kwargs: Any) -> Tensor:
        assert y is not None
        values = []
        for fused, sources in zip(y_pred, y, strict=True):
            numbers = [index for axis, index in content_slices(sources).tolist() if axis == _OUT_OF_PLANE]
            values.append(METRICS["qabf"](slices_of(fused, numbers), slices_of(sources, numbers)).mean())
        return torch.stack(values)[:, None]


class LesionTransfer(_MeanOverCases):
    """Mean share of the contrast of artificial lesions, bright and dark, in each source, that the fused image shows.

    The lesions of a case are always the same; only the slices that have them are fused again.

    Args:
        inferer: ``inferer(sources (1, N, H, W, D), network)``.
        network: what it runs.
    """

    def __init__(self, inferer: Callable[[Tensor, nn.Module], Tensor], network: nn.Module) -> None:
        super().__init__()
        self.inferer = inferer
        self.network = network
        self._lesions: dict[str, list[tuple[slice, Tensor, Tensor]]] = {}

    def _compute_tensor(self, y_pred: Tensor, y: Tensor | None = None, **kwargs: Any) -> Tensor:
        assert y is not None
        values = []
        for fused, sources in zip(y_pred, y, strict=True):
            with eval_mode(self.network):
                shares = [
                    transfer(fused[None, ..., part], self.inferer(changed, self.network)[:, :1], difference)
                    for part, changed, difference in self._placed(sources)
                ]
            values.append(torch.cat(shares).mean() if shares else fused.new_tensor(torch.nan))
        return torch.stack(values)[:, None]

    def _placed(self, sources: Tensor) -> list[tuple[slice, Tensor, Tensor]]:
        name = hashlib.sha256(sources.cpu().numpy().tobytes()).hexdigest()
        if name not in self._lesions:
            self._lesions[name] = []
            for lesion in place_lesions(SourcePair("volumes", name, sources)):
                touched = lesion.difference.flatten(0, 3).abs().amax(0).nonzero().flatten()
                part = slice(int(touched[0]), int(touched[-1]) + 1)
                # Copies, so that the volumes they are parts of can go.
                own = (lesion.sources[..., part].clone(), lesion.difference[..., part].clone())
                self._lesions[name].append((part, *own))
        return self._lesions[name]


class MeanOf:
    """The mean of metrics that others feed."""

    def __init__(self, metrics: Sequence[_MeanOverCases]) -> None:
        self.metrics = metrics

    def __call__(self, *_: object) -> None:
        """Take nothing: the metrics are fed already."""

    def reset(self) -> None:
        """Keep what the metrics reset themselves."""

    def aggregate(self) -> Tensor:
        """Return the mean of what the metrics say."""
        return torch.stack([metric.aggregate() for metric in self.metrics]).nanmean()


def volume_metrics(
    inferer: Callable[[Tensor, nn.Module], Tensor], network: nn.Module
) -> dict[str, IgniteMetricHandler]:
    """Return handlers for ``Score``, the mean of the other two, ``Qabf`` and ``Transfer``, the first for the best.

    Args:
        inferer: see :class:`LesionTransfer`, as the network.
        network: what is validated.
    """
    metrics = {"Qabf": SliceQuality(), "Transfer": LesionTransfer(inferer, network)}
    every = {"Score": MeanOf(list(metrics.values())), **metrics}
    output = from_engine(["pred", "label"])
    return {
        name: IgniteMetricHandler(metric_fn=metric, output_transform=output, save_details=name in metrics)  # type: ignore[arg-type]
        for name, metric in every.items()
    }
