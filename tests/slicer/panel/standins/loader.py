"""Load a ``.ui`` file with the stand-ins in place of the widgets of Slicer and CTK."""

from xml.etree import ElementTree

from PySide6 import QtCore, QtUiTools, QtWidgets

from .pythonqt import FLAVOURED
from .widgets import CTK, MRML


class UiLoader(QtUiTools.QUiLoader):
    """``qt.QUiLoader``; makes the connections of the file itself, because Qt knows no ``vtkMRMLScene*``."""

    _classes = FLAVOURED | {widget.__name__: widget for widget in (*CTK, *MRML)}

    def createWidget(self, class_name: str, parent: QtWidgets.QWidget, name: str) -> QtWidgets.QWidget:  # noqa: N802
        if class_name not in self._classes:
            raise RuntimeError(f"The panel uses {class_name}, which has no stand-in.")
        widget = self._classes[class_name](parent)
        widget.setObjectName(name)
        return widget

    def load(self, file: QtCore.QFile) -> QtWidgets.QWidget:
        xml = ElementTree.fromstring(file.readAll().data())
        connections = xml.find("connections")
        xml.remove(connections)
        buffer = QtCore.QBuffer()
        buffer.setData(ElementTree.tostring(xml))
        root = super().load(buffer)
        for connection in connections:
            sender, signal, receiver, slot = (
                connection.findtext(tag) for tag in ("sender", "signal", "receiver", "slot")
            )
            source, target = (
                root if name == root.name else root.findChild(QtWidgets.QWidget, name)
                for name in (sender, receiver)
            )
            getattr(source, signal.partition("(")[0]).connect(getattr(target, slot.partition("(")[0]))
        return root
