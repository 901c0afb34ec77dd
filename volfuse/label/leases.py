"""Who is reading which case: for a while, nobody else is given it."""

import json
import time
from collections.abc import Callable
from pathlib import Path

from volfuse.label.errors import Damaged
from volfuse.label.files import write_own
from volfuse.label.records import locked, read_record

SECONDS = 1800
"""How long a case is kept for a reader who does nothing with it."""


class Leases:
    """The leases in a folder, a file for each case; they survive a restart of the server.

    A lease lasts :data:`SECONDS` from the last time that its file was touched. One from the future, when the clock
    was set back, ends as well.

    Args:
        folder: it is made with the first lease.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, reader: str, choose: Callable[[set[str]], str | None]) -> str | None:
        """Lease a case to a reader, whose other leases end; no two readers are given the same.

        Args:
            reader: who asks.
            choose: returns a case that is none of those it is given, which others are reading, or nothing.
        """
        with locked(self._folder):
            holders = self.holders()
            case = choose({case for case, holder in holders.items() if holder != reader})
            for other in {case for case, holder in holders.items() if holder == reader} - {case}:
                self._file(other).unlink(missing_ok=True)
            if case is not None:
                write_own(self._file(case), json.dumps({"reader": reader}))
        return case

    def renew(self, case: str, reader: str | None) -> None:
        """Begin the time of a lease again; ``None`` stands for a reader whose name is not known."""
        if (holder := self._holder(self._file(case))) is not None and reader in (None, holder):
            self._file(case).touch()

    def end(self, case: str, reader: str) -> None:
        """End the lease of a reader on a case."""
        if self._holder(self._file(case)) == reader:
            self._file(case).unlink(missing_ok=True)

    def holders(self) -> dict[str, str]:
        """Return who is reading which case."""
        held = {path.stem: self._holder(path) for path in self._folder.glob("*.json")}
        return {case: reader for case, reader in held.items() if reader is not None}

    @staticmethod
    def _holder(file: Path) -> str | None:
        try:
            if abs(time.time() - file.stat().st_mtime) > SECONDS:
                return None
            return str(read_record(file).get("reader", ""))
        except (FileNotFoundError, Damaged):  # whom a damaged file meant is not known
            return None

    def _file(self, case: str) -> Path:
        return self._folder / f"{case}.json"
