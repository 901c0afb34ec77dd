"""Runs fusions in the worker process and turns what it reports into volumes of the scene. No Qt."""

import logging
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import slicer

from SlicerFusionLib import display
from SlicerFusionLib.choices import Colors, Window
from SlicerFusionLib.contribution import add_contributions
from SlicerFusionLib.options import chosen_options
from SlicerFusionLib.parameters import FusionParameters
from SlicerFusionLib.quality import QUALITIES, keep_quality
from SlicerFusionLib.request import fusion_request
from SlicerFusionLib.result import Provenance, add_result
from SlicerFusionLib.source import Source, write_sources
from SlicerFusionLib.status import Status, with_notes
from SlicerFusionLib.worker import Worker, new_worker
from volfuse.errors import FusionError
from volfuse.jobs import JobEvent
from volfuse.models import Model

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Batch:
    """One or several fusions of the same sources."""

    reference: slicer.vtkMRMLVolumeNode
    second: slicer.vtkMRMLVolumeNode
    sources: Sequence[Source]
    options: dict[str, Any]
    device: str
    models: Sequence[Model]


class FusionLogic:
    """Fuses two volumes with one model after another.

    Call ``poll`` every now and then while ``busy``; ``status`` and ``results`` tell how far it is.

    Args:
        make_worker: returns the worker; called by ``warm_up``, or before the first fusion.

    Attributes:
        status: what to tell the user.
        results: the fused volumes of the present or last run.
        lacks_packages: whether the last run failed because Python packages are missing or do not load.
    """

    def __init__(self, make_worker: Callable[[], Worker] | None = None) -> None:
        self.status = Status()
        self.results: list[slicer.vtkMRMLVolumeNode] = []
        self.lacks_packages = False
        self._make_worker = make_worker or new_worker
        self._worker: Worker | None = None
        self._folder: Path | None = None
        self._batch: _Batch | None = None
        self._waiting: deque[Model] = deque()

    @property
    def busy(self) -> bool:
        """Whether a fusion runs."""
        return self._batch is not None

    def warm_up(self) -> None:
        """Start the worker, so that PyTorch is loaded before the first fusion; returns at once."""
        try:
            self._ready_worker().start()
        except (FusionError, OSError) as error:
            _logger.info("The worker is not ready, which the first fusion will tell: %s", error)

    def start(self, parameters: FusionParameters, models: Sequence[Model]) -> None:
        """Begin to fuse the two volumes with each model; a failure is told by ``status``."""
        self.results = []
        try:
            self._folder = Path(tempfile.mkdtemp(dir=self._ready_worker().folder))
            volumes = parameters.reference, parameters.second
            sources = [
                _chosen(source, volume, window, colors)
                for source, volume, window, colors in zip(
                    write_sources(*volumes, self._folder),
                    volumes,
                    (parameters.reference_window, parameters.second_window),
                    (parameters.reference_colors, parameters.second_colors),
                    strict=True,
                )
            ]
            # A comparison is about the results; a map of every source for each would bury them.
            is_wanted = parameters.contributions and len(models) == 1 and models[0].has_contributions
            options = chosen_options(parameters) | {"contributions": is_wanted}
            self._batch = _Batch(*volumes, sources, options, parameters.device.value, models)
            self._waiting = deque(models)
            self._submit_next()
        except (FusionError, OSError) as error:
            self._end(Status(str(error), is_error=True))

    def poll(self) -> None:
        """Take in what the worker reports."""
        for event in self._worker.poll() if self._worker else ():
            if self._batch:
                self._react(event)

    def cancel(self) -> None:
        """Stop; ``busy`` ends within a second of polls."""
        if self._batch:
            self._waiting.clear()
            self._worker.cancel()
            self.status = Status("Cancelling ...")

    def close_scene(self) -> None:
        """Stop at once and release the volumes of a scene that closes."""
        if self._batch:
            self.close()
        self.status, self.results = Status(), []

    def close(self) -> None:
        """Stop at once and end the worker; a later fusion starts a new one."""
        if self._worker:
            self._worker.close()
        self._worker = self._batch = None
        self.lacks_packages = False

    def _ready_worker(self) -> Worker:
        if self._worker is None:
            self._worker = self._make_worker()
        return self._worker

    def _submit_next(self) -> None:
        model = self._waiting.popleft()
        batch, metrics = self._batch, [quality.metric for quality in QUALITIES]
        self._worker.submit(
            fusion_request(batch.sources, self._folder, model.name, batch.options, batch.device, metrics)
        )
        self.status = Status(f"{self._prefix()}Starting ...")

    def _react(self, event: JobEvent) -> None:
        if event.kind == "started":
            self.status = Status(f"{self._prefix()}Loading the model ...")
        elif event.kind == "progress":
            self.status = Status(self._prefix() + _progress(event), done=event.done, total=event.total)
        elif event.kind == "finished":
            self._finish(event.result)
        elif event.kind == "failed":
            self.lacks_packages = event.lacks_packages
            self._end(Status(event.message, is_error=True))
        else:
            self._end(Status("Cancelled."))

    def _finish(self, result: dict[str, Any]) -> None:
        batch = self._batch
        model = batch.models[len(self.results)]
        options = batch.options | {
            "device": result["device"],
            "windows": [source.window for source in batch.sources],
        }
        provenance = Provenance(
            model.name, model.title, result["version"], result["weights_sha256"] or "", options
        )
        try:
            if None in (batch.reference.GetScene(), batch.second.GetScene()):
                raise FusionError("A source volume was removed during the fusion; choose both again.")
            volume = add_result(Path(result["output"]), batch.reference, batch.second, provenance)
            keep_quality(volume, result["metrics"])
            add_contributions(result["contributions"], volume)
            self.results.append(volume)
            if self._waiting:
                self._submit_next()
            else:
                done = f"Done in {sum(result['seconds'].values()):.0f} s: {volume.GetName()}"
                self._end(Status(with_notes(done, result["notes"])))
        except FusionError as error:
            self._end(Status(str(error), is_error=True))

    def _end(self, status: Status) -> None:
        self.status = status
        self._waiting.clear()
        self._batch = None
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _prefix(self) -> str:
        count = len(self._batch.models)
        return f"Model {count - len(self._waiting)} of {count}. " if count > 1 else ""


def _chosen(source: Source, volume: slicer.vtkMRMLVolumeNode, window: Window, colors: Colors) -> Source:
    """Return ``source`` with the user's window and colours; what the voxels themselves colour keeps both."""
    if display.is_color(volume):
        return source
    if window is not Window.AS_SHOWN:
        source = replace(source, window=window.value)
    if colors is not Colors.AS_SHOWN:
        # The overlay that the fused volume fades from has the colours that are in the fused volume.
        volume.CreateDefaultDisplayNodes()
        volume.GetDisplayNode().SetAndObserveColorNodeID(colors.value)
        source = replace(source, table=display.shown_table(volume))
    return source


def _progress(event: JobEvent) -> str:
    if event.step == "measure":
        return "Measuring the quality ..."
    text = f"{event.done} of {event.total} slices"
    if event.seconds_left is None:
        return text
    minutes, seconds = divmod(round(event.seconds_left), 60)
    return f"{text}, about {f'{minutes} min ' if minutes else ''}{seconds} s left"
