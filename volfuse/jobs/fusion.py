"""One job from its request to its result, with the models of earlier jobs kept in memory."""

import logging
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import torch
from monai.data import MetaTensor

from volfuse.errors import FusionCancelled
from volfuse.fusion.pipeline import FusionPipeline
from volfuse.fusion.slabs import FusedCase, FusedImage, timed
from volfuse.fusion.steps import plain_errors
from volfuse.imaging import as_stored, read_image, slices_with_content, write_image
from volfuse.jobs.messages import FusionRequest, JobEvent
from volfuse.metrics import METRICS, find_metric
from volfuse.paths import check_paths

_RGB_CHANNELS = 3

_logger = logging.getLogger(__name__)


class Progress:
    """Report the slices of one step of a job, with the time left.

    The first slice warms the device up, so the rate is that of the slices after it.
    """

    def __init__(
        self, report: Callable[[JobEvent], None], job: int, step: Literal["fuse", "measure"]
    ) -> None:
        self._report = report
        self._job = job
        self._step = step
        self._first: tuple[int, float] | None = None

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        seconds_left = None
        if self._first is None:
            self._first = done, now
        else:
            first_done, start = self._first
            seconds_left = (now - start) / (done - first_done) * (total - done)
        self._report(JobEvent(self._job, "progress", self._step, done, total, seconds_left))


def run(
    job: int, request: FusionRequest, report: Callable[[JobEvent], None], should_stop: Callable[[], bool]
) -> dict[str, Any]:
    """Fuse, measure and write; returns what ``JobEvent.result`` holds.

    Args:
        job: its number in the events.
        request: what to do.
        report: takes the progress events.
        should_stop: asked before every batch of slices, every measured slice and before the file is written.

    Raises:
        FusionError: one sentence on what is wrong with the request and what to do.
        FusionCancelled: when ``should_stop`` says so; no file is left.
    """
    check_paths([Path(source) for source in request.sources], Path(request.output))
    for name in request.metrics:
        find_metric(name)  # refused before the work
    seconds: dict[str, float] = {}
    try:
        with timed(seconds, "load"):
            pipeline, weights = _load(request.model, request.device)
        fuse = (
            pipeline.fuse_case if request.metrics else pipeline.fuse_image
        )  # only metrics need the luminance
        with plain_errors():
            case = fuse(request.sources, request.options, Progress(report, job, "fuse"), should_stop)
        seconds |= case.seconds
        with timed(seconds, "measure"):
            progress = Progress(report, job, "measure")
            metrics = (
                measure(case, request.metrics, progress, should_stop) if isinstance(case, FusedCase) else {}
            )
        if should_stop():
            raise FusionCancelled
        with timed(seconds, "write"):
            contributions = _write_contributions(case, request)
            output = write_image(case.image, request.output, compress=request.compress)
    finally:
        torch.cuda.empty_cache()  # the viewer draws on the same GPU
    return {
        "output": str(output),
        "model": pipeline.model.name,
        "version": pipeline.model.version,
        "weights_sha256": weights,
        "device": str(pipeline.device),
        **_facts(case.image),
        "metrics": metrics,
        "seconds": seconds,
        "contributions": contributions,
        "notes": list(case.notes),
    }


def check(source: str) -> dict[str, Any]:
    """Read an image as a fusion would; returns its ``shape``, ``color`` and ``affine``.

    Raises:
        FusionError: one sentence on what makes it unfit for fusion.
    """
    return _facts(read_image(source))


def _facts(image: MetaTensor) -> dict[str, Any]:
    return {
        "shape": list(image.shape[1:]),
        "color": image.shape[0] == _RGB_CHANNELS,
        "affine": image.affine.tolist(),
    }


def measure(
    case: FusedCase,
    metrics: Sequence[str],
    progress: Callable[[int, int], None],
    should_stop: Callable[[], bool],
) -> dict[str, float | None]:
    """Return the mean of each metric over the slices in which every source shows something.

    The fused image is measured as a file holds it, in 256 levels, as ``volfuse evaluate`` does. A metric that
    needs larger slices than these gives ``None``, as does a volume without such slices.

    Raises:
        FusionCancelled: when ``should_stop`` says so.
    """
    fused, sources = as_stored(case.fused.as_tensor()), case.sources.as_tensor()
    shown = slices_with_content(sources)
    values: dict[str, list[float]] = {name: [] for name in metrics}
    for done, index in enumerate(shown):
        if should_stop():
            raise FusionCancelled
        for name in list(values):
            try:
                values[name].append(METRICS[name](fused[None, ..., index], sources[None, ..., index]).item())
            except ValueError as error:
                _logger.info("%s is left out: %s", name, error)
                del values[name]
        progress(done + 1, len(shown))
    return {name: fmean(values[name]) if values.get(name) else None for name in metrics}


@lru_cache(maxsize=4)
def _load(model: str, device: str) -> tuple[FusionPipeline, str | None]:
    """Return a model in memory and the SHA-256 of its weights."""
    pipeline = FusionPipeline(model, device)
    return pipeline, pipeline.model.weights_hash()


def _write_contributions(case: FusedImage, request: FusionRequest) -> list[str]:
    if case.contributions is None:
        return []
    levels = (case.contributions * 255).split(1)
    return [
        str(write_image(level, file, compress=False))
        for level, file in zip(levels, request.contribution_files, strict=False)
    ]
