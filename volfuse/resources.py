"""Folders that come with the library but hold no module of it."""

from pathlib import Path

PACKAGE = Path(__file__).parent
"""The folder of this library."""


def shipped(folder: str) -> Path:
    """Return where ``folder`` is: inside an installed package, and beside it in a checkout."""
    installed = PACKAGE / folder
    return installed if installed.is_dir() else PACKAGE.parent / folder
