"""The parts of 3D Slicer that the panel touches and no Python package carries: Qt as PythonQt shows it, MRML and CTK
widgets, the base classes of scripted modules.

MRML itself, VTK and ``slicer.util`` are the real ones, from ``slicer-core``. ``install()`` puts the stand-ins where
the panel imports them from. With ``SLICER_SOURCE_DIR`` in the environment, the base classes and the parameter node
wrapper come from that checkout of Slicer's sources instead.
"""

import os
import sys
from pathlib import Path
from types import ModuleType

import slicer
import slicer.util

from . import application, parameter_node, pythonqt, scripted_module, widgets


def install() -> None:
    """Put ``qt``, ``ctk``, the widgets of ``slicer`` and the module base classes in place."""
    sys.modules["qt"] = pythonqt.module()
    ctk = sys.modules["ctk"] = ModuleType("ctk")
    for package, classes in ((ctk, widgets.CTK), (slicer, widgets.MRML)):
        vars(package).update({widget.__name__: widget for widget in classes})
    slicer.app = application.Application()
    slicer.modules = application.Modules()
    if sources := os.environ.get("SLICER_SOURCE_DIR"):
        # Slicer's files name classes of widgets that the panel does not use.
        ctk.__getattr__ = _unknown_widget
        slicer.qMRMLSliderWidget = _unknown_widget("qMRMLSliderWidget")
        trees = sys.modules["qSlicerSubjectHierarchyModuleWidgetsPythonQt"] = ModuleType("")
        trees.__getattr__ = _unknown_widget
        slicer.__path__.append(str(Path(sources) / "Base" / "Python" / "slicer"))
    else:
        sys.modules["slicer.ScriptedLoadableModule"] = scripted_module
        sys.modules["slicer.parameterNodeWrapper"] = parameter_node


def _unknown_widget(name: str) -> type:
    if name.startswith("__"):
        raise AttributeError(name)
    return type(name, (), {})
