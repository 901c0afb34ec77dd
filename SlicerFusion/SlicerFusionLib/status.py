"""How far the work is, or what went wrong. No Qt."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Status:
    """What to tell the user.

    Attributes:
        text: one line, or empty.
        is_error: the text says what went wrong.
        done: slices done in the present step.
        total: slices in this step; 0 while that is not known.
    """

    text: str = ""
    is_error: bool = False
    done: int = 0
    total: int = 0


def with_notes(text: str, notes: Iterable[str]) -> str:
    """Return a text with notes on the images below it, a line each."""
    return "\n".join([text, *(f"Note: {note}" for note in notes)])
