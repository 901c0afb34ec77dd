"""Files that are there whole or not at all, whatever ends the process or the power."""

import os
import uuid
from collections.abc import Callable
from pathlib import Path

PARTIAL = ".partial-"
"""What the name of a file begins with until it is complete."""


def write_whole(path: Path, write: Callable[[Path], object]) -> Path:
    """Let ``write`` make a file under another name, then give it its own.

    When this returns, the content is on the disk. Until then ``path`` is what it was before. The parent folder is
    made if it is missing.

    Args:
        path: where the file shall be.
        write: makes the file at the path it is given, in the same folder and with the same suffixes.

    Returns:
        ``path``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{PARTIAL}{uuid.uuid4().hex}-{path.name}")
    try:
        write(partial)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    _keep_name(path.parent)
    return path


def write_text_whole(path: Path, text: str) -> Path:
    """Write text as :func:`write_whole` does."""
    return write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8"))


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
