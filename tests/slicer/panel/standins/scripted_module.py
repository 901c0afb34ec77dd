"""The base classes of ``slicer.ScriptedLoadableModule`` as far as a module relies on them."""

import unittest
from pathlib import Path

import slicer
import slicer.util
from PySide6.QtWidgets import QLayout, QWidget

__all__ = [
    "ScriptedLoadableModule",
    "ScriptedLoadableModuleLogic",
    "ScriptedLoadableModuleTest",
    "ScriptedLoadableModuleWidget",
]


class ScriptedLoadableModule:
    """Fills in what Slicer shows of a module."""

    def __init__(self, parent: object) -> None:
        super().__init__()
        self.parent = parent
        self.moduleName = type(self).__name__

    def resourcePath(self, name: str) -> str:  # noqa: N802
        return str(Path(self.parent.path).parent / "Resources" / name)


class ScriptedLoadableModuleWidget:
    """Holds the panel of a module."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.parent = parent
        self.layout: QLayout = parent.layout()

    def resourcePath(self, name: str) -> str:  # noqa: N802
        return str(Path(slicer.util.modulePath(self.moduleName)).parent / "Resources" / name)

    def setup(self) -> None:
        pass

    def cleanup(self) -> None:
        pass


class ScriptedLoadableModuleLogic:
    """Finds or makes the one parameter node of a module."""

    def __init__(self) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Logic")

    def getParameterNode(self) -> slicer.vtkMRMLScriptedModuleNode:  # noqa: N802
        scene = slicer.mrmlScene
        if node := scene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode"):
            return node
        node = scene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)
        node.SetSingletonTag(self.moduleName)
        node.SetAttribute("ModuleName", self.moduleName)
        node.SetName(self.moduleName)
        return scene.AddNode(node)


class ScriptedLoadableModuleTest(unittest.TestCase):
    """A test that Slicer's Reload and Test button runs."""

    def delayDisplay(self, message: str) -> None:  # noqa: N802
        pass
