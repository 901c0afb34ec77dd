"""The line on which the user reads a status, and the bar beside it."""

import qt

from SlicerFusionLib.status import Status

_ERROR_STYLE = "color: #c0392b;"


def show_status(status: Status, line: qt.QLabel, bar: qt.QProgressBar, *, is_busy: bool) -> None:
    """Write the text of a status on ``line``, red if it is an error, and show ``bar`` while something runs."""
    bar.setVisible(is_busy)
    bar.setMaximum(status.total)  # without a total, the bar only moves
    bar.setValue(status.done)
    line.setText(status.text)
    line.setStyleSheet(_ERROR_STYLE if status.is_error else "")
