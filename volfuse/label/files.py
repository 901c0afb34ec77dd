"""The files of the server's own folder: written whole, for its user alone, and never through a link.

Paths are real ones: :class:`volfuse.label.layout.Layout` resolves the studies folder once, so a path below it that
resolves to another one has a link on its way.
"""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from volfuse.label.errors import Damaged
from volfuse.label.layout import HOME
from volfuse.storage import write_whole

OWNER_ONLY = 0o077
"""The umask of the server and of everything it starts."""


def known_as(path: Path) -> str:
    """Return what a client may read of a path: where the studies folder is is not for clients."""
    parts = path.parts
    inside = parts[len(parts) - parts[::-1].index(HOME) - 1 :] if HOME in parts else parts[-1:]
    return "/".join(inside)


def own(path: Path) -> Path:
    """Return a path in the folder of the server.

    Raises:
        Damaged: if it is a link, or a folder on the way to it is one.
    """
    if path.resolve() != path:
        raise Damaged(
            f"{known_as(path)} is or lies behind a link, and the server follows none; remove the link."
        )
    return path


def write_own(path: Path, content: str | bytes | Callable[[Path], object]) -> Path:
    """Write a file as :func:`volfuse.storage.write_whole` does.

    Raises:
        Damaged: as :func:`own`.
        StorageError: if it cannot be written.
    """
    return write_whole(own(path), content)


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file that never changes a second name, or copy it where files have one name only."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def bytes_in(folder: Path) -> int:
    """Return how much the files in a folder and below take."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # it was removed meanwhile
            total += path.lstat().st_size
    return total


def make_private(folder: Path) -> None:
    """Take from others what rights they have on a folder and what is in it."""
    for path in (folder, *folder.rglob("*")):
        with suppress(OSError):  # it belongs to another user
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & 0o700)
