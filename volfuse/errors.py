"""What a fusion can end with besides a fused image, and the sentences that more than one room says."""

from collections.abc import Iterable

TOO_LITTLE_MEMORY = "There is too little memory for these images; close other programs or crop them."
"""What every front end says to a ``MemoryError``."""


class FusionError(ValueError):
    """One sentence that names the input, what is wrong with it and what to do.

    Front ends show the text as it is; the cause, if there is one, goes to the log.
    """


class StorageError(FusionError):
    """A file could not be written: a full disk, a folder that is missing or belongs to somebody else."""


class FusionCancelled(Exception):  # noqa: N818 - a decision of the user, not an error
    """The user stopped the fusion; nothing was written."""

    def __init__(self) -> None:
        super().__init__("The fusion was stopped.")


def plain_cause(error: BaseException | None) -> "FusionError | MemoryError | None":
    """Return the FusionError or MemoryError that other errors are wrapped around, or ``None`` if there is none."""
    while error is not None and not isinstance(error, FusionError | MemoryError):
        if "DefaultCPUAllocator:" in str(error):
            return MemoryError(str(error))
        error = error.__cause__
    return error


def unknown_name(kind: str, name: str, known: Iterable[str]) -> FusionError:
    """Return the error for a ``name`` that is none of the ``known`` ones of its ``kind``."""
    return FusionError(f"There is no {kind} '{name}'; choose from: {', '.join(known)}.")


def missing_package(name: str | None, extra: str) -> FusionError:
    """Return the error for a package that an ``extra`` of volfuse installs."""
    return FusionError(f"{name} is missing; install it with: pip install 'volfuse[{extra}]'")
