"""Errors that the server answers with a status of their own; any other ``FusionError`` is a 400."""

from volfuse.errors import FusionError


class NotFound(FusionError):  # noqa: N818 - what HTTP calls it
    """What the client named is not there (404)."""


class Damaged(FusionError):  # noqa: N818 - see above
    """A file of the server is there, and holds nothing that can be used (409)."""


class Gone(FusionError):  # noqa: N818 - see above
    """What the client named was there, and is not any more (410)."""


class Busy(FusionError):  # noqa: N818 - see above
    """Other work excludes this for now (429).

    Args:
        sentence: what the client reads.
        seconds: after how long it is worth to ask again; 0 if nobody knows.
    """

    def __init__(self, sentence: str, seconds: int = 0) -> None:
        super().__init__(sentence)
        self.seconds = seconds


class TooLarge(FusionError):  # noqa: N818 - see above
    """Images take more memory than the server may (413)."""


class NoRoom(FusionError):  # noqa: N818 - see above
    """The server keeps as much as it may, or its disk is full (507)."""
