"""The part of ``slicer.parameterNodeWrapper`` that the panel uses, written after its documentation.

Types: bool, int, float, str, enumerations, one MRML node class or a ``Union`` of several with ``None``. Widgets:
check box, spin box, slider, combo box of an enumeration, node selector, or a ``GuiConnector`` of the panel's own.
"""

import enum
import typing
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import slicer
import slicer.util
import vtk
from PySide6.QtWidgets import QWidget

from . import widgets
from .pythonqt import FLAVOURED


@dataclass(frozen=True)
class WithinRange:
    """Refuses numbers outside ``minimum`` to ``maximum``."""

    minimum: float
    maximum: float

    def validate(self, value: float) -> None:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"Value must be within range [{self.minimum}, {self.maximum}], is {value}")


class GuiConnector:
    """Joins one widget to one parameter."""

    def __init__(self) -> None:
        self._callback: Callable[[], None] | None = None

    def onChanged(self, callback: Callable[[], None] | None) -> None:  # noqa: N802
        self._callback = callback
        self._connect() if callback else self._disconnect()

    def changed(self) -> None:
        if self._callback:
            self._callback()


class _WidgetConnector(GuiConnector):
    def __init__(
        self, widget: QWidget, signal: str, read: Callable[[], Any], write: Callable[[Any], None]
    ) -> None:
        super().__init__()
        self._signal, self.read, self.write = getattr(widget, signal), read, write

    def _connect(self) -> None:
        self._signal.connect(self.changed)

    def _disconnect(self) -> None:
        self._signal.disconnect(self.changed)


_SIGNALS = {
    (bool, FLAVOURED["QCheckBox"]): ("stateChanged", "checked"),
    (int, FLAVOURED["QSpinBox"]): ("valueChanged", "value"),
    (float, widgets.ctkSliderWidget): ("valueChanged", "value"),
}


class _Parameter:
    """Reads and writes one value as text and node references of a parameter node."""

    def __init__(self, name: str, annotated: Any, declared: type) -> None:
        self.name = name
        kind, *annotations = typing.get_args(typing.Annotated[annotated, None])
        self.range = next((each for each in annotations if isinstance(each, WithinRange)), None)
        members = typing.get_args(kind) if typing.get_origin(kind) is typing.Union else (kind,)
        self.nodes = [each for each in members if issubclass(each, slicer.vtkMRMLNode)]
        self.type = slicer.vtkMRMLNode if self.nodes else kind
        self.is_choice = issubclass(self.type, enum.Enum)
        if not self.nodes and not self.is_choice and kind not in (bool, int, float, str):
            raise TypeError(f"Unable to create serializer for type: {annotated}")
        first = None if self.nodes else next(iter(kind)) if self.is_choice else kind()
        self.default = getattr(declared, name, first)

    def read(self, node: slicer.vtkMRMLScriptedModuleNode) -> Any:
        if self.nodes:
            return node.GetNodeReference(self.name)
        text = node.GetParameter(self.name)
        if self.type is bool:
            return text == "True"
        return self.type[text] if self.is_choice else self.type(text)

    def write(self, node: slicer.vtkMRMLScriptedModuleNode, value: Any) -> None:
        expected = (
            (*self.nodes, type(None)) if self.nodes else (int, float) if self.type is float else self.type
        )
        if not isinstance(value, expected):
            raise TypeError(f"Value must be of type '{expected}', is type '{type(value)}' value '{value}'")
        if self.range:
            self.range.validate(value)
        if self.nodes:
            node.SetParameter(self.name, "")
            node.SetNodeReferenceID(self.name, value.GetID() if value else None)
        else:
            node.SetParameter(self.name, value.name if self.is_choice else str(value))

    def connector(self, widget: QWidget) -> GuiConnector:
        """Return what joins ``widget`` to this parameter, with the widget prepared for it."""
        kind = type(widget)
        if self.nodes and kind is widgets.qMRMLNodeComboBox:
            widget.nodeTypes = [each().GetClassName() for each in self.nodes]
            return _WidgetConnector(widget, "currentNodeChanged", widget.currentNode, widget.setCurrentNode)
        if self.is_choice and kind is FLAVOURED["QComboBox"]:
            members = list(self.type)
            widget.clear()
            widget.addItems([getattr(self.type, "label", lambda each: each.name)(each) for each in members])
            return _WidgetConnector(
                widget,
                "currentIndexChanged",
                lambda: members[widget.currentIndex],
                lambda value: widget.setCurrentIndex(members.index(value)),
            )
        signal, attribute = _SIGNALS.get((self.type, kind), ("", ""))
        if signal:
            if self.range:
                widget.minimum, widget.maximum = self.range.minimum, self.range.maximum
            return _WidgetConnector(
                widget,
                signal,
                lambda: getattr(widget, attribute),
                lambda value: setattr(widget, attribute, value),
            )
        raise RuntimeError(f"Unable to create GUI connector from '{self.type}' to widget type '{kind}'")


class _Wrapper:
    """What the decorator adds to a class of parameters."""

    allParameters: typing.ClassVar[dict[str, _Parameter]]  # noqa: N815

    def __init__(self, parameter_node: slicer.vtkMRMLScriptedModuleNode) -> None:
        self.parameterNode = parameter_node
        self._guis: dict[int, dict[str, GuiConnector]] = {}
        self._updating = False
        for parameter in self.allParameters.values():
            if not parameter_node.HasParameter(parameter.name):
                parameter.write(parameter_node, parameter.default)
        # Weakly, because VTK clears the observers of a node that only such a circle keeps alive.
        wrapper = weakref.ref(self)
        parameter_node.AddObserver(
            vtk.vtkCommand.ModifiedEvent, lambda *_: wrapper() and wrapper()._update_gui()
        )

    def getValue(self, name: str) -> Any:  # noqa: N802
        return self.allParameters[name].read(self.parameterNode)

    def setValue(self, name: str, value: Any) -> None:  # noqa: N802
        self.allParameters[name].write(self.parameterNode, value)

    def connectParametersToGui(self, mapping: Mapping[str, QWidget | GuiConnector]) -> int:  # noqa: N802
        connectors = {}
        for name, widget in mapping.items():
            if name not in self.allParameters:
                raise ValueError(f"Cannot find a param with the given name: {name}")
            is_connector = isinstance(widget, GuiConnector)
            connectors[name] = widget if is_connector else self.allParameters[name].connector(widget)
        tag = len(self._guis)
        self._guis[tag] = connectors
        for name, connector in connectors.items():
            connector.write(self.getValue(name))
            connector.onChanged(lambda name=name, connector=connector: self._read_gui(name, connector))
        return tag

    def disconnectGui(self, tag: int) -> None:  # noqa: N802
        for connector in self._guis.pop(tag).values():
            connector.onChanged(None)

    def _read_gui(self, name: str, connector: GuiConnector) -> None:
        if not self._updating:
            with slicer.util.NodeModify(self):
                self.setValue(name, connector.read())

    def _update_gui(self) -> None:
        if self._updating:
            return
        self._updating = True
        try:
            with slicer.util.NodeModify(self):
                for connectors in self._guis.values():
                    for name, connector in connectors.items():
                        connector.write(self.getValue(name))
        finally:
            self._updating = False

    def StartModify(self) -> int:  # noqa: N802
        return self.parameterNode.StartModify()

    def EndModify(self, was_modifying: int) -> None:  # noqa: N802
        self.parameterNode.EndModify(was_modifying)

    def AddObserver(self, event: int, callback: Callable, priority: float = 0.0) -> int:  # noqa: N802
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: int) -> None:  # noqa: N802
        self.parameterNode.RemoveObserver(tag)


def parameterNodeWrapper(declared: type) -> type:  # noqa: N802
    """Turn the annotated attributes of a class into values kept in a parameter node."""
    hints = typing.get_type_hints(declared, include_extras=True)
    parameters = {name: _Parameter(name, annotated, declared) for name, annotated in hints.items()}
    properties = {
        name: property(
            lambda self, name=name: self.getValue(name),
            lambda self, value, name=name: self.setValue(name, value),
        )
        for name in parameters
    }
    return type(declared.__name__, (_Wrapper,), {"allParameters": parameters, **properties})
