"""Who did what, and when: a line of JSON for every request that reads scans or changes something."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from volfuse.storage import unwritable


class AuditLog:
    """A file that only grows. Its lines stand in the order in which they were written, whatever the clock said.

    Args:
        file: it is made with the first line.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def write(self, reader: str, what: str, status: int) -> None:
        """Add a line; when this returns, it is on the disk.

        Args:
            reader: who; empty where all share one token.
            what: method and address of the request.
            status: that it was answered with.

        Raises:
            StorageError: if it cannot be written.
        """
        line: Mapping[str, Any] = {
            "time": datetime.now(UTC).isoformat(),
            "reader": reader,
            "what": what,
            "status": status,
        }
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
            descriptor = os.open(self._file, flags, 0o600)
            try:
                os.write(descriptor, (json.dumps(line) + "\n").encode())
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise unwritable(self._file) from error
