"""Sentences of refusal that several formats share."""

from pathlib import Path

from volfuse.errors import FusionError


def four_dimensional(path: Path, volumes: int) -> FusionError:
    """Return the error for a file with several volumes."""
    return FusionError(f"{path.name} is 4-D ({volumes} volumes in one file); save one of them on its own.")
