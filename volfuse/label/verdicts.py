"""What readers said about fused images. One file per verdict; none is ever changed or removed."""

import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from volfuse.storage import write_whole

Decision = Literal["accept", "reject", "prefer"]


@dataclass(frozen=True)
class Judgement:
    """What a reader says of a fused image.

    Attributes:
        verdict: the image of ``model`` is good, is not, or that of ``preferred_model`` is better.
        model: whose image was judged.
        preferred_model: whose image is better; ``None`` unless ``verdict`` is ``"prefer"``.
        rating: of the judged image, 1 (useless) to 5 (as good as it gets); ``None`` if it was not given.
        comment: in the reader's words.
        reader: who judged.
    """

    verdict: Decision
    model: str
    preferred_model: str | None = None
    rating: int | None = None
    comment: str = ""
    reader: str = ""

    @property
    def chosen_model(self) -> str | None:
        """Whose image the reader wants."""
        return {"accept": self.model, "prefer": self.preferred_model, "reject": None}[self.verdict]


@dataclass(frozen=True, kw_only=True)
class Verdict(Judgement):
    """A judgement as it is stored.

    Attributes:
        case: which case.
        time: when the server took it, ISO 8601, UTC.
        image: the file of the chosen fused image, beside this verdict; ``None`` after a rejection.
    """

    case: str
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
        now = datetime.now(UTC)
        stem = f"{now:%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:8]}"
        image = None
        if write_image is not None:
            image = write_whole(self._folder / case / f"{stem}{suffix}", write_image).name
        verdict = Verdict(**vars(judgement), case=case, time=now.isoformat(), image=image)
        write_whole(self._folder / case / f"{stem}.json", json.dumps(asdict(verdict), indent=1))
        return verdict

    def of(self, case: str) -> list[Verdict]:
        """Return the verdicts on a case, the oldest first."""
        return [
            Verdict(**json.loads(path.read_text(encoding="utf-8")))
            for path in sorted((self._folder / case).glob("[0-9]*.json"))
        ]

    def last(self, case: str) -> Verdict | None:
        """Return the verdict that counts: the newest."""
        return next(reversed(self.of(case)), None)

    def last_image(self, case: str) -> Path | None:
        """Return the newest chosen image of a case."""
        verdict = self.last(case)
        return self._folder / case / verdict.image if verdict and verdict.image else None

    def reviewed(self) -> set[str]:
        """Return the names of the cases with a verdict."""
        return {path.parent.name for path in self._folder.glob("*/[0-9]*.json")}

    def __iter__(self) -> Iterator[Verdict]:
        """Go through all verdicts, case by case."""
        for case in sorted(self.reviewed()):
            yield from self.of(case)
