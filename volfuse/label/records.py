"""What the server writes down as JSON, and how it is read back: one damaged file is named and stops no other."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock

from volfuse.label.errors import Damaged
from volfuse.label.files import known_as, own, write_own
from volfuse.storage import unwritable

_R = TypeVar("_R")
_FILE = re.compile(r"(\d{4,})\.json")


def read_record(path: Path, kind: type = dict) -> Any:
    """Return what a JSON file of the server holds.

    Args:
        path: a file that is there.
        kind: ``dict`` or ``list``, whichever the file must hold.

    Raises:
        Damaged: if it holds something else, or is a link. The sentence names it by the folder of the server it is in.
    """
    try:
        record = json.loads(own(path).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(path) from error
    if not isinstance(record, kind):
        raise damaged(path)
    return record


def damaged(path: Path) -> Damaged:
    """Return the error for a file that holds nothing that can be used."""
    return Damaged(f"{known_as(path)} is damaged; bring it back from a backup, or remove it.")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other threads and processes out of a folder, which is made if it is missing.

    Raises:
        StorageError: if it cannot be.
    """
    lock = FileLock(own(folder) / ".lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise unwritable(folder) from error
    try:
        yield
    finally:
        lock.release()


class NumberedRecords:
    """Records in a folder, a file each: ``0001.json``, ``0002.json``, ...

    The number says which came first, whatever the clock says. Several processes may add at a time.

    Args:
        folder: it is made with the first record.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def numbers(self) -> list[int]:
        """Return the numbers that are taken, by damaged files too, in order."""
        names = [path.name for path in self.folder.glob("*.json")]
        return sorted(int(match[1]) for name in names if (match := _FILE.fullmatch(name)))

    def next_number(self) -> int:
        """Return a number above all that are taken."""
        return max(self.numbers(), default=0) + 1

    def add(self, make: Callable[[int], Mapping[str, Any]]) -> dict[str, Any]:
        """Store the record that ``make(number)`` returns; when this returns, it is on the disk."""
        with locked(self.folder):
            number = self.next_number()
            return self.store(number, make(number))

    def store(self, number: int, record: Mapping[str, Any]) -> dict[str, Any]:
        """Write a record, whole, over what had its number."""
        write_own(self.file(number), json.dumps(record, indent=1))
        return dict(record)

    def read(self, parse: Callable[[dict[str, Any]], _R]) -> dict[int, _R | Damaged]:
        """Return every record by its number, in order, or what is wrong with it.

        Args:
            parse: makes of a record what is wanted; a ``KeyError``, a ``TypeError`` or a ``ValueError`` says that it
                is none.
        """
        return {number: self._parsed(self.file(number), parse) for number in self.numbers()}

    def file(self, number: int) -> Path:
        """Return where a record is."""
        return self.folder / f"{number:04d}.json"

    @staticmethod
    def _parsed(file: Path, parse: Callable[[dict[str, Any]], _R]) -> _R | Damaged:
        try:
            return parse(read_record(file))
        except Damaged as error:
            return error
        except (KeyError, TypeError, ValueError):
            return damaged(file)
