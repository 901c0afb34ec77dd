"""A widget for every option of one fusion, so that a new option appears in the panel by itself."""

from collections.abc import Mapping

import ctk
import qt

from SlicerFusionLib.options import OPTIONS
from volfuse.fusion.options import Option


def option_widgets(layout: qt.QFormLayout, own: Mapping[str, qt.QWidget]) -> dict[str, qt.QWidget]:
    """Return the widget of each option by name, with its words on it.

    Args:
        layout: gets a row for every option that has no widget yet.
        own: widgets by the name of the parameter that they are for; those of options are found there.
    """
    widgets = {}
    for option in OPTIONS:
        widget = own.get(option.name) or _add_row(layout, option)
        if option.kind is bool:
            widget.setText(option.title)
        widget.setToolTip(option.words)
        widgets[option.name] = widget
    return widgets


def _add_row(layout: qt.QFormLayout, option: Option) -> qt.QWidget:
    # The bounds of the parameter, or its choices, go to the widget when it is connected.
    kinds = {bool: qt.QCheckBox, int: qt.QSpinBox, float: ctk.ctkSliderWidget}
    widget = kinds.get(option.kind, qt.QComboBox)()
    if option.kind is bool:
        layout.addRow(widget)
    else:
        layout.addRow(f"{option.title}:", widget)
    return widget
