"""Blinded comparisons: two fused images of one case side by side, whose models the reader learns afterwards."""

import json
import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from volfuse.label.errors import Damaged, NotFound
from volfuse.label.files import write_own
from volfuse.label.records import NumberedRecords, locked, read_record

Side = Literal["left", "right"]
Preferred = Literal["left", "right", "same"]
_MOST_OPEN = 1000


@dataclass(frozen=True)
class Question:
    """Two images that wait for an answer.

    Attributes:
        case: of which case.
        left: whose image is on the left.
        right: whose is on the right.
        reader: who was asked.
    """

    case: str
    left: str
    right: str
    reader: str


@dataclass(frozen=True, kw_only=True)
class Comparison(Question):
    """An answer as it is stored.

    Attributes:
        id: of the question.
        answer: which image is better, or that neither is.
        comment: in the reader's words.
        number: counts the answers; the highest is the newest.
        time: when the server took it, ISO 8601, UTC.
    """

    id: str
    answer: Preferred
    comment: str
    number: int
    time: str


class Comparisons:
    """All comparisons in a folder; questions survive a restart of the server.

    Args:
        folder: it is made with the first question.
    """

    def __init__(self, folder: Path) -> None:
        self._records = NumberedRecords(folder)
        self._questions = folder / "open"

    def ask(self, case: str, models: Sequence[str], reader: str) -> tuple[str, Question]:
        """Choose two models and their sides by chance.

        Args:
            case: a known case.
            models: two or more.
            reader: who is asked.

        Returns:
            The id of the question, and the question, which the reader must not see.
        """
        left, right = random.SystemRandom().sample(sorted(models), 2)
        question = Question(case, left, right, reader)
        name = uuid.uuid4().hex
        with locked(self._questions):
            self._forget_oldest()
            write_own(self._file(name), json.dumps(asdict(question)))
        return name, question

    def question(self, name: str) -> Question:
        """Return an open question.

        Raises:
            NotFound: if there is none with this id, or it is answered.
        """
        try:
            return Question(**read_record(self._file(name)))
        except (OSError, Damaged, TypeError) as error:
            raise NotFound("There is no such comparison, or it is answered; ask for another.") from error

    def answer(self, name: str, reader: str, answer: Preferred, comment: str) -> Comparison:
        """Store an answer; when this returns, it is on the disk, and the question is closed.

        Raises:
            NotFound: if there is no such question, or it is answered.
        """

        def make(number: int) -> Mapping[str, Any]:
            question = self.question(name)
            facts = asdict(question) | {"reader": reader or question.reader}
            time = datetime.now(UTC).isoformat()
            return asdict(
                Comparison(**facts, id=name, answer=answer, comment=comment, number=number, time=time)
            )

        # The lock of the records lets nobody else answer meanwhile.
        stored = self._records.add(make)
        self._file(name).unlink(missing_ok=True)
        return Comparison(**stored)

    def all(self) -> list[Comparison]:
        """Return the answers that can be read, the oldest first."""
        return [each for each in self._records.read(_comparison).values() if isinstance(each, Comparison)]

    def faults(self) -> list[str]:
        """Return a sentence on every answer that cannot be read."""
        return [str(each) for each in self._records.read(_comparison).values() if isinstance(each, Damaged)]

    def _forget_oldest(self) -> None:
        """Let questions that nobody answers not fill the disk."""
        files = sorted(self._questions.glob("*.json"), key=lambda file: file.stat().st_mtime)
        for file in files[: max(0, len(files) - _MOST_OPEN + 1)]:
            file.unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        return self._questions / f"{name}.json"


def _comparison(record: Mapping[str, Any]) -> Comparison:
    comparison = Comparison(**record)
    if comparison.answer not in get_args(Preferred):
        raise ValueError(comparison.answer)
    return comparison
