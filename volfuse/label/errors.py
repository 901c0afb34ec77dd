"""Errors that the server answers with a status of their own; any other ``FusionError`` is a 400."""

from volfuse.errors import FusionError


class NotFound(FusionError):  # noqa: N818 - what HTTP calls it
    """What the client named is not there (404)."""


class Damaged(FusionError):  # noqa: N818 - see above
    """A file of the server is there, and holds nothing that can be used (409)."""


class Busy(FusionError):  # noqa: N818 - see above
    """Another task is running that excludes this one (429)."""
