"""One inference task per model; its result is an image, and its options are those of ``volfuse fuse``."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from monailabel.interfaces.tasks.batch_infer import BatchInferTask
from monailabel.interfaces.tasks.infer_v2 import InferTask, InferType

from volfuse.fusion.options import FusionOptions
from volfuse.imaging import write_image
from volfuse.label.models import loaded
from volfuse.models import Model


class FusionTask(InferTask):
    """Fuses the two scans of a case with one model.

    Args:
        model: which.
        scratch: a folder for results that are about to be sent.
    """

    def __init__(self, model: Model, scratch: Path) -> None:
        # Type "others": the Slicer plugin of MONAI Label would show anything else as a segmentation.
        super().__init__(InferType.OTHERS, None, 3, f"{model.description.rstrip('.')}. Research only.")
        self._name = model.name
        self._scratch = scratch

    def is_valid(self) -> bool:
        return True

    def __call__(self, request: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """Fuse ``request["files"]`` with ``request["options"]``; returns the file of the result and facts about it."""
        options: FusionOptions = request.get("options") or FusionOptions()
        with loaded(self._name) as pipeline:
            case = pipeline.fuse_image(request["files"], options)
        self._scratch.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=self._scratch))
        file = write_image(case.image, folder / f"fused{request.get('result_extension', '.nii.gz')}")
        return str(file), {
            "model": self._name,
            "version": pipeline.model.version,
            "shape": list(case.image.shape[1:]),
            "color": case.image.shape[0] == 3,
            "affine": case.image.affine.tolist(),
            "notes": list(case.notes),
            "seconds": {step: round(seconds, 3) for step, seconds in case.seconds.items()},
        }


class FusionBatch(BatchInferTask):
    """Fuses many cases, one after another, and keeps each result under the name of its model."""

    def __call__(self, request: Mapping[str, Any], datastore: Any, infer: Any) -> dict[str, Any]:
        """Fuse ``request["images"]``: ``all``, ``labeled`` or ``unlabeled``."""
        cases = self.get_images(request, datastore)
        return {
            case: infer({"model": request["model"], "image": case, "save_label": True}, datastore)["params"]
            for case in cases
        }
