"""The record of every round of training: what, who, when, before and after. A file each."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from volfuse.label.errors import Busy, Damaged
from volfuse.label.files import own
from volfuse.label.records import NumberedRecords
from volfuse.models import Bundle


class Rounds:
    """All rounds in a folder.

    Args:
        folder: it is made with the first round.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._records = NumberedRecords(folder)

    def all(self) -> list[dict[str, Any]]:
        """Return every record, the first round first; one that cannot be read has the state ``"damaged"``."""
        return [
            {"round": number, "state": "damaged", "error": str(record)}
            if isinstance(record, Damaged)
            else record
            for number, record in self._records.read(_round).items()
        ]

    def next_number(self) -> int:
        """Return the number of the round after the last."""
        return self._records.next_number()

    def begin(self, record: dict[str, Any]) -> dict[str, Any]:
        """Store the record of a round that begins; it has its number as ``round``."""
        return self.store({**record, "state": "running", "begun": _now()})

    def end(self, record: dict[str, Any], state: str, **results: Any) -> dict[str, Any]:
        """Store how a round ended."""
        return self.store({**record, **results, "state": state, "ended": _now()})

    def store(self, record: dict[str, Any]) -> dict[str, Any]:
        """Write a record, whole."""
        return self._records.store(record["round"], record)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep every other process from training or repairing meanwhile.

        Raises:
            Busy: if another does.
        """
        own(self._folder).mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._folder / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise Busy("Another round of training is running; wait for its end.") from error
        try:
            yield
        finally:
            lock.release()

    def check_idle(self) -> None:
        """Refuse if a process trains, also one that outlived its server.

        Raises:
            Busy: if one does.
        """
        with self.alone():
            pass

    def repair_if_idle(self, models: Path) -> None:
        """Close the rounds that a killed process left open, unless one is running."""
        with suppress(Busy), self.alone():
            self.repair(models)

    def repair(self, models: Path) -> None:
        """Close the rounds that a killed process left open; only :meth:`alone`.

        Weights are published by one rename; whether that happened decides how such a round ended.
        """
        for record in self.all():
            if record["state"] == "running":
                bundle = Bundle(models / record["bundle"], record["weights_file"])
                metadata = models / record["bundle"] / "configs" / "metadata.json"
                is_published = metadata.is_file() and bundle.weights_file in bundle.metadata["weights"]
                if is_published:
                    self.end(record, "published", published_as=bundle.name)
                else:
                    self.end(record, "interrupted")


def _round(record: dict[str, Any]) -> dict[str, Any]:
    if not {"round", "state", "bundle", "weights_file"} <= record.keys():
        raise KeyError
    return record


def _now() -> str:
    return datetime.now(UTC).isoformat()
