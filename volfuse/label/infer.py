"""What a fusion of the server is: a job for a worker process, and what clients are told of it."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monailabel.interfaces.tasks.batch_infer import BatchInferTask
from monailabel.interfaces.tasks.infer_v2 import InferTask, InferType

from volfuse.errors import TOO_LITTLE_MEMORY, FusionError, StorageError
from volfuse.fusion.options import FusionOptions
from volfuse.jobs import FusionRequest, FusionWorker, JobEvent
from volfuse.label.datastore import paired
from volfuse.label.progress import report_progress
from volfuse.models import Model

_TOLD = ("model", "version", "shape", "color", "affine", "notes")
_BETWEEN_POLLS = 0.05  # seconds


class FusionTask(InferTask):
    """What MONAI Label's clients are told of one model. Fusions run in workers: :func:`fusion_request`.

    Args:
        model: which.
    """

    def __init__(self, model: Model) -> None:
        # Type "others": the Slicer plugin of MONAI Label would show anything else as a segmentation.
        super().__init__(InferType.OTHERS, None, 3, f"{model.description.rstrip('.')}. Research only.")
        self.model = model

    def is_valid(self) -> bool:
        return True

    def __call__(self, request: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Fuse ``request["files"]`` in ``request["worker"]``; returns the file of the result and facts about it.

        Raises:
            FusionError: one sentence on what is wrong.
            MemoryError: if the images take more memory than the worker may.
        """
        worker: FusionWorker = request["worker"]
        worker.submit(fusion_request(worker.folder, self.model.name, request["files"]))
        while True:
            for event in worker.poll():
                if event.kind == "finished":
                    return event.result["output"], facts_of(event.result)
                if event.kind == "failed":
                    raise failure_of(event)
            time.sleep(_BETWEEN_POLLS)


class FusionBatch(BatchInferTask):
    """Fuses many cases, one after another, and keeps each result under the name of its model."""

    def __call__(self, request: Mapping[str, Any], datastore: Any, infer: Any) -> dict[str, Any]:
        """Fuse ``request["images"]``: ``all``, ``labeled`` or ``unlabeled``; a case that fails stops no other.

        Returns:
            Facts about each case, or why it failed under ``failed``.
        """
        results: dict[str, Any] = {}
        cases = self.get_images(request, datastore)
        with FusionWorker(limits=request["limits"], parent=paired(datastore).layout.workers) as worker:
            for number, case in enumerate(cases, 1):
                work = {"model": request["model"], "image": case, "save_label": True, "worker": worker}
                try:
                    results[case] = infer(work, datastore)["params"]
                except FusionError as error:
                    results[case] = {"failed": str(error)}
                except MemoryError:
                    results[case] = {"failed": TOO_LITTLE_MEMORY}
                report_progress(number, len(cases), f"{case} {results[case].get('failed', 'done')}")
        return results


def fusion_request(
    folder: Path,
    model: str,
    files: Sequence[Path],
    options: FusionOptions | None = None,
    suffix: str = ".nii.gz",
) -> FusionRequest:
    """Return the job that fuses files into ``folder``, that of a worker."""
    sources = tuple(str(file) for file in files)
    return FusionRequest(
        sources, str(folder / f"fused{suffix}"), model, options or FusionOptions(), compress=True
    )


def facts_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a client is told of a fusion."""
    seconds = {step: round(taken, 3) for step, taken in result["seconds"].items()}
    return {name: result[name] for name in _TOLD} | {"seconds": seconds}


def failure_of(event: JobEvent) -> Exception:
    """Return the error that a failed job is answered with."""
    match event.cause:
        case "memory":
            return MemoryError(event.message)
        case "storage":
            return StorageError(event.message)
    return FusionError(event.message)
