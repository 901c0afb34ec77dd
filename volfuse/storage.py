"""Files that are there whole or not at all, whatever ends the process or the power."""

import os
import uuid
from collections.abc import Callable
from pathlib import Path

from volfuse.errors import StorageError

PARTIAL = ".partial-"
"""What the name of a file begins with until it is complete."""


def write_whole(path: Path, content: str | bytes | Callable[[Path], object]) -> Path:
    """Write a file under another name, then give it its own.

    When this returns, the content is on the disk. Until then ``path`` is what it was before. The parent folder is
    made if it is missing. Any number of threads and processes may write the same path; the last one stays.

    Args:
        path: where the file shall be.
        content: text (written as UTF-8), bytes, or a function that makes the file at the path it is given, which is
            in the same folder and has the same suffixes.

    Returns:
        ``path``.

    Raises:
        StorageError: if it cannot be written.
    """
    partial = path.with_name(f"{PARTIAL}{uuid.uuid4().hex}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            if callable(content):
                content(partial)
            else:
                partial.write_bytes(content.encode() if isinstance(content, str) else content)
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        _keep_name(path.parent)
    except (OSError, RuntimeError) as error:  # SimpleITK and torch know no OSError
        raise unwritable(path) from error
    return path


def unwritable(path: Path) -> StorageError:
    """Return the error for a file that cannot be written."""
    return StorageError(
        f"{path} could not be written; choose another folder, or check that this one is writable and has free space."
    )


def remove_partial(folder: Path) -> None:
    """Remove what a killed process left unfinished in ``folder`` and below."""
    for path in folder.rglob(f"{PARTIAL}*"):
        path.unlink(missing_ok=True)


def _keep_name(folder: Path) -> None:
    """A renamed file can lose its name with the power until its folder is on the disk too."""
    if os.name == "nt":  # folders cannot be opened there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
