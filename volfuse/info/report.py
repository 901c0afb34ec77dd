"""What is found out about paths: each image, or why it cannot be read, and how two of them lie on each other."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from monai.data import MetaTensor

from volfuse.errors import FusionError
from volfuse.imaging.dicom import SeriesSummary, list_series
from volfuse.imaging.files import read_image
from volfuse.imaging.relation import Relation, relate
from volfuse.imaging.stored import Reading
from volfuse.imaging.summary import Summary, summarize
from volfuse.registration.verdict import Verdict, registered


@dataclass(frozen=True)
class Entry:
    """One path.

    Attributes:
        path: as it was given.
        summary: of the image; ``None`` if it cannot be read.
        error: why not, in one sentence.
        series: what DICOM holds under this path, if that is more than one volume.
    """

    path: str
    summary: Summary | None = None
    error: str = ""
    series: tuple[SeriesSummary, ...] = ()


@dataclass(frozen=True)
class Pair:
    """How the second of two images lies on the first.

    Attributes:
        relation: of their grids.
        verdict: whether they look registered.
    """

    relation: Relation
    verdict: Verdict


@dataclass(frozen=True)
class Report:
    """What was found out.

    Attributes:
        images: one entry for each path.
        pair: of two paths that can both be read; else ``None``.
    """

    images: tuple[Entry, ...]
    pair: Pair | None

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know, in sentences: what a fusion of these images would say too."""
        every = [note for entry in self.images if entry.summary for note in entry.summary.notes]
        if self.pair:
            refusal = self.pair.relation.refusal
            every += [refusal] if refusal else self.pair.relation.notes
        return tuple(dict.fromkeys(every))

    def to_json(self) -> dict[str, Any]:
        """Return plain values, which ``json.dumps`` takes."""
        return asdict(self)


def look_at(paths: Sequence[Path], readings: Sequence[Reading] | None = None) -> Report:
    """Read images and return what is found out about them; an image that cannot be read is an entry with an error."""
    entries, images = [], []
    for path, reading in zip(paths, readings or [Reading()] * len(paths), strict=True):
        try:
            image = read_image(path, reading)
        except FusionError as error:
            entries.append(Entry(str(path), error=str(error), series=_series(path)))
            continue
        entries.append(Entry(str(path), summarize(image)))
        if len(paths) == 2:
            images.append(image)
    return Report(tuple(entries), _pair(*images) if len(images) == 2 else None)


def _series(path: Path) -> tuple[SeriesSummary, ...]:
    try:
        found = list_series(path) if path.exists() else []
    except FusionError:
        found = []
    return tuple(found) if len(found) > 1 else ()


def _pair(reference: MetaTensor, second: MetaTensor) -> Pair:
    return Pair(relate(second, reference), registered(reference, second))
