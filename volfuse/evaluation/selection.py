"""What is evaluated: models, pairs and metrics, checked by name before any work is done."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, get_args

from volfuse.choices import Convention
from volfuse.data import paired_datalist
from volfuse.errors import FusionError, unknown_name
from volfuse.metrics import METRICS, Metric
from volfuse.models import Model, catalogue

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Pair:
    """Registered images of one patient.

    Attributes:
        task: which kind of images, a key of ``splits.json``.
        name: file name, unique in its task and split.
        sources: the image files; the first is the reference.
    """

    task: str
    name: str
    sources: tuple[Path, ...]

    def digest(self) -> str:
        """Return 12 hexadecimal digits that change when the content of a source changes."""
        content = hashlib.sha256()
        for source in self.sources:
            content.update(hashlib.sha256(source.read_bytes()).digest())
        return content.hexdigest()[:12]


@dataclass(frozen=True)
class Selection:
    """Which models run over which pairs, and what is measured.

    Attributes:
        models: in the order of the tables.
        pairs: of one split, task by task.
        split: a name in ``splits.json``.
        metrics: in the order of the tables.
        convention: ``"reference"`` or ``"published"``, see ``volfuse.metrics``.
    """

    models: tuple[Model, ...]
    pairs: tuple[Pair, ...]
    split: str
    metrics: tuple[Metric, ...]
    convention: Convention = "reference"

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that have pairs."""
        return tuple(dict.fromkeys(pair.task for pair in self.pairs))


def select(
    dataset_dir: Path,
    split: str = "test",
    models: Collection[str] = (),
    tasks: Collection[str] = (),
    metrics: Collection[str] = (),
    convention: str = "reference",
) -> Selection:
    """Look everything up by name; an empty collection stands for all there is.

    Args:
        dataset_dir: a folder as ``volfuse.data.pairs`` describes it.
        split: a name in its ``splits.json``.
        models: names in the catalogue.
        tasks: keys of ``splits.json``.
        metrics: names in ``volfuse.metrics.METRICS``.
        convention: ``"reference"`` or ``"published"``.

    Raises:
        FusionError: if a name is unknown, a file is missing or the split holds no pairs.
    """
    conventions: dict[str, Convention] = {name: name for name in get_args(Convention)}
    (chosen_convention,) = _look_up("convention", [convention], conventions)
    chosen_models = _look_up("model", models, catalogue())
    chosen_metrics = _look_up("metric", metrics, METRICS)
    pairs = find_pairs(dataset_dir, split, tasks)
    return Selection(chosen_models, tuple(pairs), split, chosen_metrics, chosen_convention)


def find_pairs(dataset_dir: Path, split: str = "test", tasks: Collection[str] = ()) -> list[Pair]:
    """List the pairs of a split, task by task; no tasks stand for all there are.

    Raises:
        FusionError: if a name is unknown, a file is missing or the split holds no pairs.
    """
    items = paired_datalist(dataset_dir, _look_up("task", tasks, _tasks(dataset_dir)), split)
    if not items:
        raise FusionError(f"The split '{split}' holds no pairs of these tasks; choose another split.")
    return [
        Pair(
            item["task"],
            item["name"],
            tuple(Path(value) for key, value in item.items() if key.startswith("source_")),
        )
        for item in items
    ]


def _look_up(kind: str, names: Collection[str], known: Mapping[str, _Item]) -> tuple[_Item, ...]:
    if unknown := [name for name in names if name not in known]:
        raise unknown_name(kind, unknown[0], known)
    return tuple(known[name] for name in dict.fromkeys(names or known))


def _tasks(dataset_dir: Path) -> dict[str, str]:
    """Return the names of all tasks, by themselves."""
    index = dataset_dir / "splits.json"
    try:
        return {name: name for name in json.loads(index.read_text(encoding="utf-8"))}
    except OSError as error:
        raise FusionError(f"There is no {index}; give a folder of image pairs.") from error
    except ValueError as error:
        raise FusionError(
            f"{index} is no valid JSON; docs/how-to/compare-models.md says what it holds."
        ) from error
