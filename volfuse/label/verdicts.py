"""What readers said about fused images. One file per verdict; none is ever changed or removed."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from volfuse.label.errors import Damaged
from volfuse.label.files import own, write_own
from volfuse.label.records import NumberedRecords

Decision = Literal["accept", "reject", "prefer", "cannot_judge", "skip"]
WITHOUT_MODEL = ("cannot_judge", "skip")
"""Decisions on a case, of which perhaps no image was seen: they have a reason in place of a model."""


@dataclass(frozen=True)
class Judgement:
    """What a reader says of a fused image.

    Attributes:
        verdict: the image of ``model`` is good, is not, or that of ``preferred_model`` is better; or the case cannot
            be judged by anybody, or is left to other readers.
        model: whose image was judged; perhaps empty if the case was not judged.
        preferred_model: whose image is better; ``None`` unless ``verdict`` is ``"prefer"``.
        rating: of the judged image, 1 (useless) to 5 (as good as it gets); ``None`` if it was not given.
        reason: why the case was not judged.
        comment: in the reader's words.
        reader: who judged.
    """

    verdict: Decision
    model: str = ""
    preferred_model: str | None = None
    rating: int | None = None
    reason: str = ""
    comment: str = ""
    reader: str = ""

    @property
    def chosen_model(self) -> str | None:
        """Whose image the reader wants."""
        return {"accept": self.model, "prefer": self.preferred_model}.get(self.verdict)


@dataclass(frozen=True, kw_only=True)
class Verdict(Judgement):
    """A judgement as it is stored.

    Attributes:
        case: which case.
        number: counts the verdicts on the case; the highest is the newest, whatever the clock says.
        time: when the server took it, ISO 8601, UTC.
        image: the file of the chosen fused image, beside this verdict; ``None`` if none was chosen.
    """

    case: str
    number: int
    time: str
    image: str | None


class VerdictStore:
    """All verdicts in a folder with one folder per case.

    Args:
        folder: it is made with the first verdict.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(
        self,
        case: str,
        judgement: Judgement,
        suffix: str = "",
        write_image: Callable[[Path], object] | None = None,
    ) -> Verdict:
        """Store a verdict; when this returns, it is on the disk.

        The image is complete before the verdict that names it appears, so a verdict is never without it.

        Args:
            case: a known case.
            judgement: what the reader says.
            suffix: of the chosen image.
            write_image: writes that image to the path it is given; ``None`` if no image is chosen.
        """
        image = None
        if write_image is not None:
            image = write_own(self._folder / case / f"{uuid.uuid4().hex}{suffix}", write_image).name
        time = datetime.now(UTC).isoformat()

        def make(number: int) -> dict[str, Any]:
            return asdict(Verdict(**vars(judgement), case=case, number=number, time=time, image=image))

        return Verdict(**self._records(case).add(make))

    def of(self, case: str) -> list[Verdict]:
        """Return the verdicts on a case that can be read, the oldest first."""
        return [verdict for verdict in self._read(case) if isinstance(verdict, Verdict)]

    def faults(self, case: str) -> list[str]:
        """Return a sentence on every verdict on a case that cannot be read."""
        return [str(fault) for fault in self._read(case) if isinstance(fault, Damaged)]

    def by_reader(self, case: str) -> dict[str, Verdict]:
        """Return the verdict of each reader that counts: the last; who skipped the case said nothing of it."""
        return {verdict.reader: verdict for verdict in self.of(case) if verdict.verdict != "skip"}

    def skipped_by(self, case: str) -> set[str]:
        """Return the readers who left a case to others."""
        return {verdict.reader for verdict in self.of(case) if verdict.verdict == "skip"}

    def last(self, case: str) -> Verdict | None:
        """Return the newest verdict of all readers."""
        return next((verdict for verdict in reversed(self.of(case)) if verdict.verdict != "skip"), None)

    def last_image(self, case: str) -> Path | None:
        """Return the newest chosen image of a case."""
        verdict = self.last(case)
        return own(self._folder / case / verdict.image) if verdict and verdict.image else None

    def reviewed(self) -> set[str]:
        """Return the names of the cases with a verdict."""
        return {case for case in self.seen() if self.last(case)}

    def seen(self) -> set[str]:
        """Return the names of the cases of which readers said anything."""
        return {path.parent.name for path in self._folder.glob("*/[0-9]*.json")}

    def __iter__(self) -> Iterator[Verdict]:
        """Go through all verdicts, case by case."""
        for case in sorted(self.seen()):
            yield from self.of(case)

    def _read(self, case: str) -> list[Verdict | Damaged]:
        return list(self._records(case).read(_verdict).values())

    def _records(self, case: str) -> NumberedRecords:
        return NumberedRecords(self._folder / case)


def _verdict(record: Mapping[str, Any]) -> Verdict:
    verdict = Verdict(**record)
    if verdict.verdict not in get_args(Decision):
        raise ValueError(verdict.verdict)
    return verdict
