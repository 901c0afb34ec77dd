"""Small stand-ins for the MRML and CTK widgets that the panel's ``.ui`` file names."""

import slicer
from PySide6.QtCore import Property, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout

from .pythonqt import FLAVOURED

_TITLE_HEIGHT = 26
_NO_LIMIT = 16777215  # QWIDGETSIZE_MAX

QWidget, QComboBox, QPushButton = (FLAVOURED[name] for name in ("QWidget", "QComboBox", "QPushButton"))


class qMRMLWidget(QWidget):  # noqa: N801 - Slicer's name
    """Hands the scene on to the widgets that its ``.ui`` file connects."""

    mrmlSceneChanged = Signal(object)  # noqa: N815

    def setMRMLScene(self, scene: slicer.vtkMRMLScene) -> None:  # noqa: N802
        self.mrmlSceneChanged.emit(scene)


class qMRMLNodeComboBox(QComboBox):  # noqa: N801
    """Lists the scene's nodes of some classes, like Slicer's, with ``None`` first if allowed."""

    currentNodeChanged = Signal(object)  # noqa: N815
    nodeTypesChanged = Signal()  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene = None
        self._tags: list[int] = []
        self._nodes: list[slicer.vtkMRMLNode | None] = []
        self._current: slicer.vtkMRMLNode | None = None
        self._types: list[str] = []
        self._children, self._none = True, False
        self._attributes: dict[str, tuple[str, str | None]] = {}
        self.currentIndexChanged.connect(self._picked)

    def _set_types(self, types: list[str]) -> None:
        self._types = list(types)
        self._refresh()

    def _set_children(self, shown: bool) -> None:
        self._children = shown
        self._refresh()

    def _set_none(self, enabled: bool) -> None:
        self._none = enabled
        self._refresh()

    nodeTypes = Property("QStringList", lambda self: self._types, _set_types)  # noqa: N815
    showChildNodeTypes = Property(bool, lambda self: self._children, _set_children)  # noqa: N815
    noneEnabled = Property(bool, lambda self: self._none, _set_none)  # noqa: N815

    def addAttribute(self, node_type: str, name: str, value: str | None = None) -> None:  # noqa: N802
        """List nodes of ``node_type`` only if they have the attribute."""
        self._attributes[node_type] = (name, value)
        self._refresh()

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:  # noqa: N802
        for tag in self._tags:
            self._scene.RemoveObserver(tag)
        self._scene, self._tags = scene, []
        if scene:
            for event in (scene.NodeAddedEvent, scene.NodeRemovedEvent):
                self._tags.append(scene.AddObserver(event, lambda *_: self._refresh()))
        self._refresh()

    def currentNode(self) -> slicer.vtkMRMLNode | None:  # noqa: N802
        return self._current

    def setCurrentNode(self, node: slicer.vtkMRMLNode | None) -> None:  # noqa: N802
        self._refresh()
        self._select(node if node in self._nodes else None)

    def _lists(self, node: slicer.vtkMRMLNode) -> bool:
        kind = node.GetClassName()
        if kind not in self._types and not (self._children and any(map(node.IsA, self._types))):
            return False
        name, value = self._attributes.get(kind, (None, None))
        return not node.GetHideFromEditors() and (
            name is None
            or (node.GetAttribute(name) is not None if value is None else node.GetAttribute(name) == value)
        )

    def _refresh(self) -> None:
        if self._scene is None:
            return
        nodes = [self._scene.GetNthNode(index) for index in range(self._scene.GetNumberOfNodes())]
        self._nodes = [None] * self._none + [node for node in nodes if self._lists(node)]
        kept = self._current
        was_blocked = self.blockSignals(True)
        self.clear()
        self.addItems(["None" if node is None else node.GetName() for node in self._nodes])
        self.setCurrentIndex(self._nodes.index(kept) if kept in self._nodes else -1)
        self.blockSignals(was_blocked)
        self._select(kept if kept in self._nodes else (None if self._none else next(iter(self._nodes), None)))

    def _select(self, node: slicer.vtkMRMLNode | None) -> None:
        was_blocked = self.blockSignals(True)
        self.setCurrentIndex(self._nodes.index(node) if node in self._nodes else -1)
        self.blockSignals(was_blocked)
        if node is not self._current:
            self._current = node
            self.currentNodeChanged.emit(node)

    def _picked(self, index: int) -> None:
        self._select(self._nodes[index] if 0 <= index < len(self._nodes) else None)


class ctkCollapsibleButton(QWidget):  # noqa: N801
    """A titled section that folds."""

    contentsCollapsed = Signal(bool)  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._title = QPushButton(self)
        self._title.setStyleSheet("text-align: left; padding: 4px; font-weight: bold;")
        self._collapsed = False
        self._folded: list[QWidget] = []  # what was visible before
        self.setContentsMargins(0, _TITLE_HEIGHT, 0, 0)

    def _set_text(self, text: str) -> None:
        self._title.setText(("▸ " if self._collapsed else "▾ ") + text)

    def _set_collapsed(self, collapsed: bool) -> None:
        if collapsed == self._collapsed:
            return
        self._collapsed = collapsed
        self._set_text(self._title.text[2:])
        if collapsed:
            for child in self.children():
                self._fold(child)
        else:
            for child in self._folded:
                child.setVisible(True)
            self._folded.clear()
        self.setMaximumHeight(_TITLE_HEIGHT if collapsed else _NO_LIMIT)
        self.contentsCollapsed.emit(collapsed)

    text = Property(str, lambda self: self._title.text[2:], _set_text)
    collapsed = Property(bool, lambda self: self._collapsed, _set_collapsed)

    def setCollapsed(self, collapsed: bool) -> None:  # noqa: N802
        self.collapsed = collapsed

    def _fold(self, child: object) -> None:
        if child.isWidgetType() and child is not self._title and not child.isHidden():
            child.setVisible(False)
            self._folded.append(child)

    def childEvent(self, event: object) -> None:  # noqa: N802
        """Fold also what is added after ``collapsed`` was set, as the order in a ``.ui`` file wants it."""
        super().childEvent(event)
        if self.__dict__.get("_collapsed") and event.added():
            self._fold(event.child())

    def resizeEvent(self, event: object) -> None:  # noqa: N802
        super().resizeEvent(event)
        self._title.setGeometry(0, 0, event.size().width(), _TITLE_HEIGHT)


class ctkSliderWidget(QWidget):  # noqa: N801
    """A slider with a number beside it."""

    valueChanged = Signal(float)  # noqa: N815

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        from PySide6.QtWidgets import QDoubleSpinBox, QSlider  # noqa: PLC0415 - parts, not for the panel

        self._slider, self._box = QSlider(Qt.Orientation.Horizontal), QDoubleSpinBox()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider)
        layout.addWidget(self._box)
        self._slider.setRange(0, 1000)
        self._slider.valueChanged.connect(
            lambda step: self._box.setValue(self.minimum + step / 1000 * self._span())
        )
        self._box.valueChanged.connect(self._moved)

    def _span(self) -> float:
        return self.maximum - self.minimum

    def _moved(self, value: float) -> None:
        was_blocked = self._slider.blockSignals(True)
        self._slider.setValue(round((value - self.minimum) / (self._span() or 1) * 1000))
        self._slider.blockSignals(was_blocked)
        self.valueChanged.emit(value)

    value = Property(float, lambda self: self._box.value(), lambda self, value: self._box.setValue(value))
    minimum = Property(
        float, lambda self: self._box.minimum(), lambda self, value: self._box.setMinimum(value)
    )
    maximum = Property(
        float, lambda self: self._box.maximum(), lambda self, value: self._box.setMaximum(value)
    )
    decimals = Property(
        int, lambda self: self._box.decimals(), lambda self, value: self._box.setDecimals(value)
    )
    singleStep = Property(  # noqa: N815
        float, lambda self: self._box.singleStep(), lambda self, value: self._box.setSingleStep(value)
    )


class ctkDirectoryButton(QPushButton):  # noqa: N801
    """Asks for a folder; a test sets ``directory`` instead of answering a dialog."""

    directorySelected = Signal(str)  # noqa: N815

    def _select(self, folder: str) -> None:
        self._folder = folder
        self.directorySelected.emit(folder)

    directory = Property(str, lambda self: self._folder, _select)


def new_module_widget() -> qMRMLWidget:
    """Return the widget that Slicer gives a module's panel to fill."""
    parent = qMRMLWidget()
    parent.setLayout(QVBoxLayout())
    return parent


MRML = [qMRMLWidget, qMRMLNodeComboBox]
CTK = [ctkCollapsibleButton, ctkSliderWidget, ctkDirectoryButton]
