"""What can be measured of a case without a ground truth, stored for the strategies."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from pathlib import Path
from statistics import fmean
from typing import Any

from monailabel.interfaces.datastore import Datastore
from monailabel.interfaces.tasks.scoring import ScoringMethod

from volfuse import __version__
from volfuse.errors import TOO_LITTLE_MEMORY, FusionError
from volfuse.label.activelearning.scores import appearance, disagreement, quality
from volfuse.label.datastore import SCORED, paired
from volfuse.label.progress import report_progress
from volfuse.label.slices import fuse_slices, read_slices
from volfuse.models import DEFAULT_MODEL, find

QUICK_MODELS = (DEFAULT_MODEL, "laplacian", "guided_filter")
"""What is scored unless the request names others: quick, and different from each other."""
_DESCRIPTIONS = {
    "quality": "Quality of each model's result, without a reference (Q^AB/F)",
    "disagreement": "Disagreement between models (mean 1 - SSIM over pairs of them)",
    "appearance": "Appearance of the scans (brightness and edges by region)",
}


class Scoring(ScoringMethod):
    """Fuses some slices of every case with some models and stores all scores at once.

    What is stored is kept as long as the scans and the models are what they were, so only what is new is measured:
    after one scoring the others have nothing left to do.

    Args:
        description: what it is wanted for, for the reader.
    """

    def __call__(self, request: Mapping[str, Any], datastore: Datastore) -> dict[str, Any]:
        """Score all cases; ``request["models"]`` names the models. A case that cannot be fused is reported."""
        store = paired(datastore)
        models = list(dict.fromkeys(request.get("models") or QUICK_MODELS))
        cases, failed, measured = store.list_images(), {}, 0
        for number, case in enumerate(cases, 1):
            words = "known"
            try:
                scores = score(store.pair(case).files, models, store.scores(case))
                if scores != store.scores(case):
                    store.update_image_info(case, scores)
                    words, measured = "done", measured + 1
            except (FusionError, MemoryError, FileNotFoundError) as error:
                words = failed[case] = str(error) if isinstance(error, FusionError) else _plain(error)
            report_progress(number, len(cases), f"{case} {words}")
        return {"models": models, "failed": failed, "measured": measured}


def score(files: Sequence[Path], models: Sequence[str], stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return all scores of a case.

    Args:
        files: its scans, the reference first.
        models: what to fuse it with.
        stored: what this returned before, or nothing.

    Returns:
        ``quality`` by model, ``disagreement``, ``appearance``, and under ``SCORED`` what they were made of.

    Raises:
        FusionError: if the scans cannot be fused.
    """
    scans = _hash(files)
    kept = stored.get(SCORED)
    if not isinstance(kept, Mapping) or kept.get("scans") != scans:
        stored, kept = {}, {}
    marks = {name: _mark(name) for name in models}
    qualities = {
        name: entry
        for name, entry in kept.get("models", {}).items()
        if name not in marks or entry["made_by"] == marks[name]
    }
    pairs = {
        names: value for names, value in kept.get("pairs", {}).items() if qualities.keys() >= {*names.split()}
    }
    wanted = [" ".join(sorted(names)) for names in combinations(models, 2)]
    missing = {name for name in models if name not in qualities}
    missing |= {name for names in wanted if names not in pairs for name in names.split()}
    look = stored.get("appearance")
    if missing or look is None:
        slices = read_slices(files)
        fused = {name: fuse_slices(name, slices) for name in sorted(missing)}
        look = [round(number, 6) for number in appearance(slices)]
        for name, image in fused.items():
            if name not in qualities:
                value = round(quality(image, slices), 5)
                qualities[name] = {"made_by": marks[name], "quality": value}
        for names in wanted:
            if names not in pairs:
                pairs[names] = round(disagreement([fused[name] for name in names.split()]), 5)
    return {
        "quality": {name: qualities[name]["quality"] for name in models},
        "disagreement": round(fmean(pairs[names] for names in wanted), 5) if wanted else 0.0,
        "appearance": look,
        SCORED: {"scans": scans, "models": qualities, "pairs": pairs},
    }


def scoring_methods() -> dict[str, ScoringMethod]:
    """Return every scoring method by name."""
    return {name: Scoring(description) for name, description in _DESCRIPTIONS.items()}


def _hash(files: Sequence[Path]) -> str:
    """Return the SHA-256 of the scans."""
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


@lru_cache
def _mark(model: str) -> str:
    """Return what tells a model from others of its name; weights under one name never change while this runs."""
    found = find(model)
    return f"{found.version} {found.weights_hash() or ''} {__version__}"


def _plain(error: Exception) -> str:
    return TOO_LITTLE_MEMORY if isinstance(error, MemoryError) else "A scan of the case is gone."
