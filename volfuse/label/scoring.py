"""What can be measured of a case without a ground truth, stored for the strategies."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from monailabel.interfaces.datastore import Datastore
from monailabel.interfaces.tasks.scoring import ScoringMethod

from volfuse.errors import FusionError
from volfuse.fusion.pipeline import FusedCase
from volfuse.imaging import slices_of
from volfuse.label.activelearning.scores import appearance, disagreement, quality, scored_slices
from volfuse.label.datastore import paired
from volfuse.label.models import loaded
from volfuse.models import DEFAULT_MODEL

QUICK_MODELS = (DEFAULT_MODEL, "laplacian", "guided_filter")
"""What is scored unless the request names others: quick, and different from each other."""


class Scoring(ScoringMethod):
    """Fuses every case with some models and stores one score.

    Args:
        description: what it stores, for the reader.
        key: what it is stored as.
    """

    def __init__(self, description: str, key: str) -> None:
        super().__init__(description)
        self.key = key

    def measure(self, fused: Mapping[str, FusedCase]) -> Any:
        """Return the score of one case from what each model made of it."""
        raise NotImplementedError

    def __call__(self, request: Mapping[str, Any], datastore: Datastore) -> dict[str, Any]:
        """Score all cases; ``request["models"]`` names the models. A case that cannot be fused is reported."""
        store = paired(datastore)
        models = request.get("models") or list(QUICK_MODELS)
        failed: dict[str, str] = {}
        for case in store.list_images():
            try:
                fused = {name: _fuse(name, store.pair(case).files) for name in models}
                store.update_image_info(case, {self.key: self.measure(fused)})
            except FusionError as error:
                failed[case] = str(error)
            print(f"{self.key}: {case} {failed.get(case, 'done')}", flush=True)  # the log of the task
        return {"models": models, "failed": failed}


class QualityScoring(Scoring):
    """No-reference quality of what each model makes of a case."""

    def __init__(self) -> None:
        super().__init__("Quality of each model's result, without a reference (Q^AB/F)", "quality")

    def measure(self, fused: Mapping[str, FusedCase]) -> dict[str, float]:
        return {name: round(quality(*_slices(case)), 5) for name, case in fused.items()}


class DisagreementScoring(Scoring):
    """How differently the models fuse a case."""

    def __init__(self) -> None:
        super().__init__("Disagreement between models (mean 1 - SSIM over pairs of them)", "disagreement")

    def measure(self, fused: Mapping[str, FusedCase]) -> float:
        return round(disagreement([_slices(case)[0] for case in fused.values()]), 5)


class AppearanceScoring(Scoring):
    """What a case looks like, for the strategy that wants variety."""

    def __init__(self) -> None:
        super().__init__("Appearance of the scans (brightness and edges by region)", "appearance")

    def measure(self, fused: Mapping[str, FusedCase]) -> list[float]:
        _, sources = _slices(next(iter(fused.values())))
        return [round(number, 6) for number in appearance(sources)]

    def __call__(self, request: Mapping[str, Any], datastore: Datastore) -> dict[str, Any]:
        """Describe all cases; one model is enough to read them with."""
        return super().__call__({**request, "models": ["average"]}, datastore)


def scoring_methods() -> dict[str, ScoringMethod]:
    """Return every scoring method by name."""
    return {
        "quality": QualityScoring(),
        "disagreement": DisagreementScoring(),
        "appearance": AppearanceScoring(),
    }


def _fuse(name: str, files: Sequence[Any]) -> FusedCase:
    with loaded(name) as pipeline:
        return pipeline.fuse_case(files)


def _slices(case: FusedCase) -> tuple[torch.Tensor, torch.Tensor]:
    sources, fused = case.sources.as_tensor(), case.fused.as_tensor()
    numbers = scored_slices(sources)
    return slices_of(fused, numbers), slices_of(sources, numbers)
