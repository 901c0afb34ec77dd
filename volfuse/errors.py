"""The one exception that speaks to the user."""


class FusionError(ValueError):
    """One sentence that names the input, what is wrong with it and what to do.

    Front ends show the text as it is; the cause, if there is one, goes to the log.
    """
