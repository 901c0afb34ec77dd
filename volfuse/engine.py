"""What lets MONAI's trainers and evaluators work without labels."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines import PrepareBatch
from monai.handlers import CheckpointLoader, IgniteMetricHandler, MetricsSaver, StatsHandler, from_engine
from torch import Tensor, nn

from volfuse.choices import Convention
from volfuse.metrics import FusionMetric
from volfuse.numerics.lesions import draw_lesions


class FusionPrepareBatch(PrepareBatch):
    """Give the sources as the label too: losses and metrics compare the fused image with them.

    Args:
        label: the entry of a batch that is the label, for the rare task whose fused image is known.
    """

    def __init__(self, label: str = "image") -> None:
        self.label = label

    def __call__(
        self,
        batchdata: dict[str, Tensor],
        device: str | torch.device | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor]:
        """Return ``batchdata["image"]`` (B, N, ...) and the label, by default the same again, on ``device``."""
        sources, label = (
            batchdata[key].to(device=device, non_blocking=non_blocking, **kwargs)
            for key in ("image", self.label)
        )
        return sources, label


class LesionPrepareBatch(FusionPrepareBatch):
    """Give every batch twice: as it is, then with a random lesion in one source of each image.

    ``volfuse.losses.LesionLoss`` compares the two.
    """

    radii = (2.5, 10.0)  # pixels; somewhat more than the insertion test
    amplitudes = (0.12, 0.25)
    tries = 64

    def __call__(
        self,
        batchdata: dict[str, Tensor],
        device: str | torch.device | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor]:
        """Return ``batchdata["image"]`` (B, N, H, W) as (2 B, N, H, W), and the same as label, on ``device``."""
        sources, _ = super().__call__(batchdata, device, non_blocking, **kwargs)
        lesions = draw_lesions(sources, radii=self.radii, amplitudes=self.amplitudes, tries=self.tries)
        both = torch.cat([sources, lesions.sources])
        return both, both


def clip_gradients(
    optimizer: torch.optim.Optimizer, network: nn.Module, largest_norm: float
) -> torch.optim.Optimizer:
    """Let no step of ``optimizer`` use a gradient of ``network`` longer than ``largest_norm``; returns it."""

    def clip(*_: object) -> None:
        nn.utils.clip_grad_norm_(network.parameters(), largest_norm)

    optimizer.register_step_pre_hook(clip)
    return optimizer


class FreezeBatchNorm:
    """Train the last part with the batch statistics that inference uses.

    Crops of brains and of black background give batches of four very different statistics. A network that only
    ever saw those is another one with the running averages; from ``epoch`` on they are fixed and the weights
    adapt to them (Ioffe 2017, arXiv:1702.03275, describes the mismatch for small batches).

    Args:
        network: its batch normalisations are fixed.
        epoch: the last epoch with batch statistics.
    """

    def __init__(self, network: nn.Module, epoch: int) -> None:
        self.layers = [
            layer for layer in network.modules() if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)
        ]
        self.epoch = epoch
        self.frozen = False

    def attach(self, engine: Engine) -> None:
        """Register with a trainer."""
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        if engine.state.epoch > self.epoch and not self.frozen:
            self.frozen = True
            for layer in self.layers:
                layer.register_forward_pre_hook(_use_running_averages)


def _use_running_averages(layer: nn.Module, _: tuple[Tensor, ...]) -> None:
    # The trainer calls network.train() before every batch; this comes after it.
    layer.eval()


class HalfPrecision:
    """Give a ``CheckpointSaver`` the weights of a network in half the bytes.

    ``load_state_dict`` of the network takes them back to its own precision. Only tensors with two axes or more
    become float16: nearly all bytes are theirs, while running variances need a wider range.

    Args:
        network: the network itself, not wrapped for several processes.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def state_dict(self) -> dict[str, Tensor]:
        """Return the state of the network with matrices and kernels as float16."""
        return {
            name: value.half() if value.ndim > 1 else value
            for name, value in self.network.state_dict().items()
        }


REPORTED: Mapping[str, tuple[str, Convention]] = {
    "EN": ("en", "reference"),
    "SD": ("sd", "reference"),
    "SF": ("sf", "reference"),
    "SF_published": ("sf", "published"),
    "AG": ("ag", "reference"),
    "AG_published": ("ag", "published"),
    "MI": ("mi", "reference"),
    "CC": ("cc", "reference"),
    "SCD": ("scd", "reference"),
    "SCD_published": ("scd", "published"),
}
"""What ``evaluate.json`` measures unless a bundle names the metrics of its own paper."""


def fusion_metric_handlers(
    metrics: Mapping[str, tuple[str, Convention]] = REPORTED,
) -> dict[str, IgniteMetricHandler]:
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


def report_handlers(
    network: nn.Module, weights: str | Path, report_dir: str | Path, device: torch.device
) -> list[Any]:
    """Return what makes an evaluator measure trained weights and write a row per pair, and their summary.

    Args:
        network: the network that is evaluated.
        weights: a file for it.
        report_dir: where ``metrics.csv`` and a file per metric go.
        device: where the network is.
    """
    return [
        StatsHandler(iteration_log=False, output_transform=lambda _: None),
        # It names a dict, and hands to torch.load, which takes a device, whatever it is.
        CheckpointLoader(str(weights), {"model": network}, map_location=device),  # type: ignore[arg-type]
        MetricsSaver(
            str(report_dir),
            metric_details="*",
            batch_transform=lambda batch: [
                {"filename_or_obj": f"{item['task']}/{item['name']}"} for item in batch
            ],
            summary_ops=["mean", "std", "median"],
        ),
    ]
