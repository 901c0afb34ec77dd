"""``slicer.app`` and ``slicer.modules`` without an application: slice views are real slice logics, nothing is drawn."""

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import slicer
import vtk
from PySide6 import QtCore
from vtk.util.numpy_support import vtk_to_numpy

MODULE_FOLDER = Path(__file__).parents[4] / "SlicerFusion"
_STANDARD = {"Red": "Axial", "Green": "Coronal", "Yellow": "Sagittal"}


class Application:
    """``slicer.app``: a layout that makes the slice views it names, and the application logic over them."""

    def __init__(self) -> None:
        self.slices: dict[str, slicer.vtkMRMLSliceLogic] = {}
        self._collection = vtk.vtkCollection()
        self._logic = slicer.vtkMRMLApplicationLogic()
        self.connected: list[tuple[str, Callable]] = []

    def use(self, scene: slicer.vtkMRMLScene) -> None:
        """Show ``scene`` in the three standard slice views."""
        self.slices.clear()
        self._collection.RemoveAllItems()
        self._logic.SetMRMLScene(scene)
        self._logic.SetSliceLogics(self._collection)
        # Kept, because VTK clears the observers of a node that Python forgets while the scene still has it.
        self._layout = scene.AddNode(slicer.vtkMRMLLayoutNode())
        self._layout.AddObserver(vtk.vtkCommand.ModifiedEvent, self._arrange)
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene)
        self._show(_STANDARD, scene)

    def _arrange(self, layout: slicer.vtkMRMLLayoutNode, _event: str) -> None:
        description = layout.GetLayoutDescription(layout.GetViewArrangement())
        pattern = r'class="vtkMRMLSliceNode" singletontag="(\w+)">\s*<property name="orientation"[^>]*>(\w+)<'
        self._show(dict(re.findall(pattern, description)), layout.GetScene())

    def _show(self, orientations: Mapping[str, str], scene: slicer.vtkMRMLScene) -> None:
        for tag, orientation in orientations.items():
            if tag not in self.slices:
                logic = slicer.vtkMRMLSliceLogic()
                logic.SetMRMLScene(scene)
                logic.AddSliceNode(tag)
                logic.GetSliceNode().SetOrientation(orientation)
                logic.GetSliceNode().SetDimensions(64, 64, 1)
                self.slices[tag] = logic
                self._collection.AddItem(logic)

    def picture(self, view: str) -> np.ndarray:
        """Return what a slice view shows, without a screen: int (rows, columns, RGB), the lowest row first."""
        connection = self.slices[view].GetImageDataConnection()
        connection.GetProducer().Update()
        image = connection.GetProducer().GetOutputDataObject(connection.GetIndex())
        columns, rows, _ = image.GetDimensions()
        colors = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(rows, columns, -1)
        return colors[..., :3].astype(int)

    def applicationLogic(self) -> slicer.vtkMRMLApplicationLogic:  # noqa: N802
        return self._logic

    def moduleManager(self) -> "Application":  # noqa: N802
        return self

    def connect(self, signature: str, slot: Callable) -> None:
        self.connected.append((signature, slot))

    def disconnect(self, signature: str, slot: Callable) -> None:
        self.connected.remove((signature, slot))

    def translate(self, _context: str, text: str) -> str:
        """Return ``text``: ``slicer.i18n`` asks for it in another language."""
        return text

    def processEvents(self) -> None:  # noqa: N802
        # QCoreApplication.processEvents of PySide 6.12 takes one reference from None at every call.
        loop = QtCore.QEventLoop()
        QtCore.QTimer.singleShot(0, loop.quit)
        loop.exec()


class Modules(SimpleNamespace):
    """``slicer.modules``: only the module under test is loaded."""

    def __init__(self) -> None:
        super().__init__(slicerfusion=SimpleNamespace(path=str(MODULE_FOLDER / "SlicerFusion.py")))


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Let Qt run, and with it the timer of the panel, until ``condition`` holds."""
    loop, timer = QtCore.QEventLoop(), QtCore.QTimer()
    deadline = time.monotonic() + seconds
    timer.timeout.connect(lambda: loop.quit() if condition() or time.monotonic() > deadline else None)
    timer.start(10)
    loop.exec()
    if not condition():
        raise TimeoutError("the condition did not come true")
