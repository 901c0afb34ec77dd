"""Who may use the server: whoever has its one token, or each reader with a token of their own.

Of a reader's token only its SHA-256 is kept. That is enough, and slow hashes such as scrypt would add nothing: they
protect words that people choose, which can be guessed; a token is 256 random bits, which cannot.
"""

import hashlib
import hmac
import json
import logging
import secrets
from collections.abc import Mapping
from pathlib import Path

from volfuse.errors import FusionError
from volfuse.label.errors import Damaged
from volfuse.label.files import write_own
from volfuse.label.records import damaged, locked, read_record

_BYTES = 32
_LONGEST_NAME = 100
_logger = logging.getLogger(__name__)


class ReaderTokens:
    """The readers of a server, in a file; a change counts at once, also for a server that runs.

    Args:
        file: ``Layout.readers``; without it there are no readers, and the server has one token for all.
    """

    def __init__(self, file: Path) -> None:
        self._file = file

    def add(self, name: str) -> str:
        """Return a new token for a reader; one that the reader had is worth nothing any more.

        Raises:
            FusionError: if the name is none.
        """
        if not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable() or name != name.strip():
            raise FusionError(
                f"'{name}' is no name of a reader; write 1 to {_LONGEST_NAME} printable characters."
            )
        token = secrets.token_urlsafe(_BYTES)
        with locked(self._file.parent):
            self._write({**self.digests(), name: _digest(token)})
        return token

    def revoke(self, name: str) -> None:
        """Let the token of a reader be worth nothing.

        Raises:
            FusionError: if there is no such reader.
        """
        with locked(self._file.parent):
            left = self.digests()
            if left.pop(name, None) is None:
                known = ", ".join(left) or "there is none"
                raise FusionError(f"There is no reader '{name}'; the readers are: {known}.")
            self._write(left)

    def digests(self) -> dict[str, str]:
        """Return the hash of every reader's token.

        Raises:
            Damaged: if the file cannot be read.
        """
        if not self._file.is_file():
            return {}
        known: dict[str, str] = read_record(self._file)
        if not all(isinstance(digest, str) and digest.isascii() for digest in known.values()):
            raise damaged(self._file)
        return known

    @property
    def are_used(self) -> bool:
        """Whether there is a list of readers, be it one without a reader."""
        return self._file.is_file()

    def _write(self, digests: Mapping[str, str]) -> None:
        def write(partial: Path) -> None:
            partial.touch(mode=0o600)
            partial.write_text(json.dumps(digests, indent=1), encoding="utf-8")

        write_own(self._file, write)


class Access:
    """Tells who a token belongs to.

    Args:
        common: the token of all; it is worth nothing where readers have their own.
        readers: see :class:`ReaderTokens`.
    """

    def __init__(self, common: str, readers: ReaderTokens) -> None:
        self._common = _digest(common)
        self._readers = readers

    @property
    def hint(self) -> str:
        """Say what a client needs."""
        if self._readers.are_used:
            return "A reader's token is needed; whoever runs the server gives you one."
        return "A token is needed; `volfuse serve` prints it when it starts."

    def reader(self, token: str) -> str | None:
        """Return whose token it is: ``""`` for the common one, ``None`` for nobody's.

        The time it takes does not tell how much of a token is right, nor whose it nearly is.
        """
        given = _digest(token)
        if not self._readers.are_used:
            return "" if hmac.compare_digest(given, self._common) else None
        try:
            known = self._readers.digests()
        except Damaged as error:
            _logger.error("%s Until then nobody gets in.", error)
            return None
        matches = [name for name, digest in known.items() if hmac.compare_digest(given, digest)]
        return matches[0] if matches else None


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
