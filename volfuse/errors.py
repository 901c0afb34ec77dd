"""What a fusion can end with besides a fused image."""


class FusionError(ValueError):
    """One sentence that names the input, what is wrong with it and what to do.

    Front ends show the text as it is; the cause, if there is one, goes to the log.
    """


class FusionCancelled(Exception):  # noqa: N818 - a decision of the user, not an error
    """The user stopped the fusion; nothing was written."""
