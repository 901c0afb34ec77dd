"""PySide6 as PythonQt shows Qt to Slicer's Python: properties are attributes, ``connect`` takes C++ signatures."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

# Properties that C++ also calls as virtual methods: hiding those behind attributes would break Qt itself.
_VIRTUAL = {"QWidget": {"sizeHint", "minimumSizeHint"}, "QProgressBar": {"text"}}
_WIDGETS = (
    "QCheckBox",
    "QComboBox",
    "QFrame",
    "QLabel",
    "QLineEdit",
    "QListWidget",
    "QProgressBar",
    "QPushButton",
    "QSpinBox",
    "QTableWidget",
    "QWidget",
)


def flavoured(qt_class: type) -> type:
    """Return a subclass of ``qt_class`` with what PythonQt adds: its Qt properties as attributes, and ``connect``."""
    meta = qt_class.staticMetaObject
    names = {meta.property(index).name() for index in range(meta.propertyCount())}
    names -= set().union(*(_VIRTUAL.get(base.__name__, ()) for base in qt_class.__mro__))
    attributes = {name: _attribute(name) for name in names}
    attributes |= {
        "name": attributes["objectName"],
        "connect": connect,
        # An object of PySide finds ``connect`` in no class but its own.
        "__init_subclass__": classmethod(lambda cls: setattr(cls, "connect", connect)),
    }
    return type(qt_class.__name__, (qt_class,), attributes)


def connect(self: QtCore.QObject, signature: str, slot: Callable[..., object]) -> None:
    """Connect the signal with a C++ signature, such as ``clicked(bool)``, to ``slot``."""
    getattr(self, signature.partition("(")[0]).connect(slot)


def _attribute(name: str) -> property:
    def read(self: QtCore.QObject) -> Any:
        return QtCore.QObject.property(self, name)

    def write(self: QtCore.QObject, value: Any) -> None:
        QtCore.QObject.setProperty(self, name, value)

    return property(read, write)


FLAVOURED: dict[str, type] = {name: flavoured(getattr(QtWidgets, name)) for name in _WIDGETS}


def module() -> ModuleType:
    """Return the module ``qt``: all of Qt in one name space, widgets flavoured, ``.ui`` files loadable."""
    from .loader import UiLoader  # noqa: PLC0415 - the loader makes widgets that are flavoured here

    def plain(name: str) -> Any:
        for package in (QtCore, QtGui, QtWidgets, QtUiTools):
            if hasattr(package, name):
                return getattr(package, name)
        raise AttributeError(f"module 'qt' has no attribute '{name}'")

    qt = ModuleType("qt")
    qt.__getattr__ = plain
    vars(qt).update(FLAVOURED, QTimer=flavoured(QtCore.QTimer), QFile=_File, QUiLoader=UiLoader)
    return qt


class _File(QtCore.QFile):
    ReadOnly = (
        QtCore.QIODevice.OpenModeFlag.ReadOnly
    )  # PythonQt finds the flags of a base class, PySide does not
