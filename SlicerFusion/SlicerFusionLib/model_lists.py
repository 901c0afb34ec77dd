"""The lists of models, joined to the parameter node: one in a combo box, several as check boxes in a list."""

from collections.abc import Sequence

import qt
from slicer.parameterNodeWrapper import GuiConnector

from SlicerFusionLib.models import label
from volfuse.models import Model


class _ModelConnector(GuiConnector):
    """Joins a widget that lists models to their names; Slicer's own connectors refuse a scene that names others."""

    def __init__(self, widget: qt.QWidget, models: Sequence[Model]) -> None:
        super().__init__()
        self._widget = widget
        self._names = [model.name for model in models]

    @staticmethod
    def canRepresent(widget: object, datatype: object) -> bool:  # noqa: N802
        """Return ``False``: this connector is only made by hand."""
        return False

    @staticmethod
    def create(widget: object, datatype: object) -> None:
        """Return nothing: this connector is only made by hand."""

    def widget(self) -> qt.QWidget:
        return self._widget


class OneModel(_ModelConnector):
    """Joins a combo box to the name of a model; a name that is not installed shows no entry.

    Args:
        widget: the combo box; it is filled with the labels of the models.
        models: what can be chosen.
    """

    def __init__(self, widget: qt.QComboBox, models: Sequence[Model]) -> None:
        super().__init__(widget, models)
        widget.clear()
        for model in models:
            widget.addItem(label(model))

    def read(self) -> str:
        index = self._widget.currentIndex
        return self._names[index] if index >= 0 else ""

    def write(self, value: str) -> None:
        self._widget.setCurrentIndex(self._names.index(value) if value in self._names else -1)

    def _connect(self) -> None:
        self._widget.currentIndexChanged.connect(self.changed)

    def _disconnect(self) -> None:
        self._widget.currentIndexChanged.disconnect(self.changed)


class SeveralModels(_ModelConnector):
    """Joins check boxes in a list to the names of the checked models, separated by commas.

    Args:
        widget: the list; it is filled with one check box per model.
        models: what can be chosen.
    """

    def __init__(self, widget: qt.QListWidget, models: Sequence[Model]) -> None:
        super().__init__(widget, models)
        widget.clear()
        for row, model in enumerate(models):
            widget.addItem(label(model))
            widget.item(row).setToolTip(model.description)
            widget.item(row).setCheckState(qt.Qt.Unchecked)

    def read(self) -> str:
        checked = [
            name
            for row, name in enumerate(self._names)
            if self._widget.item(row).checkState() == qt.Qt.Checked
        ]
        return ",".join(checked)

    def write(self, value: str) -> None:
        checked = value.split(",")
        for row, name in enumerate(self._names):
            self._widget.item(row).setCheckState(qt.Qt.Checked if name in checked else qt.Qt.Unchecked)

    def _connect(self) -> None:
        self._widget.itemChanged.connect(self._on_item)

    def _disconnect(self) -> None:
        self._widget.itemChanged.disconnect(self._on_item)

    def _on_item(self, _item: qt.QListWidgetItem) -> None:
        self.changed()
