"""The panel on real MRML and Qt 6, with stand-ins for what only the application has; see ``standins``."""

import importlib.util
import os
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from volfuse.data.phantoms import head_phantom

if importlib.util.find_spec("PySide6"):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    import slicer
    import standins
    from PySide6 import QtWidgets
    from standins.scripted_worker import ScriptedWorker

    standins.install()
    from SlicerFusion import SlicerFusionWidget
    from SlicerFusionLib.parameters import FusionParameters
    from SlicerFusionLib.result import MODEL_ATTRIBUTE, SOURCE_ROLE
    from SlicerFusionLib.widget import FusionPanel
else:  # test_panel_environment.py says so
    collect_ignore_glob = ["test_panel_[!e]*.py"]


@pytest.fixture(scope="session")
def qt_application() -> "QtWidgets.QApplication":
    return QtWidgets.QApplication.instance() or QtWidgets.QApplication([])


@pytest.fixture
def application(
    scene: "slicer.vtkMRMLScene", qt_application: "QtWidgets.QApplication"
) -> "standins.application.Application":
    """``slicer.app`` over a fresh scene with three slice views."""
    slicer.app.use(scene)
    return slicer.app


@pytest.fixture
def head(scene: "slicer.vtkMRMLScene") -> "Callable[[str], slicer.vtkMRMLScalarVolumeNode]":
    """Add a small phantom head: ``head("MR")``, ``head("PET")``."""

    def add(name: str, spacing: float = 8.0, shape: tuple[int, int, int] = (24, 28, 12)) -> object:
        affine = np.diag([spacing, spacing, spacing * 1.5, 1.0])
        affine[:3, 3] = -affine.diagonal()[:3] * (np.array(shape) - 1) / 2
        voxels = (head_phantom(shape, affine, name.lower()) * 1000).astype(np.int16).transpose(2, 1, 0)
        volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(affine))
        slicer.util.updateVolumeFromArray(volume, voxels)
        volume.CreateDefaultDisplayNodes()
        return volume

    return add


@pytest.fixture
def add_even(add_volume: Callable) -> Callable:
    """Add a volume that shows one grey value, or one colour, everywhere."""

    def add(name: str, *value: int) -> "slicer.vtkMRMLScalarVolumeNode":
        kind = "vtkMRMLVectorVolumeNode" if len(value) == 3 else "vtkMRMLScalarVolumeNode"
        voxels = np.broadcast_to(np.uint8(value), (16, 16, 16, len(value))).squeeze().copy()
        volume = add_volume(name, voxels, kind=kind)
        volume.GetDisplayNode().SetAutoWindowLevel(False)
        volume.GetDisplayNode().SetWindowLevelMinMax(0, 255)
        return volume

    return add


@pytest.fixture
def sources(add_even: Callable) -> tuple:
    return add_even("MR", 100), add_even("PET", 200)


@pytest.fixture
def fused(add_even: Callable, sources: tuple) -> "slicer.vtkMRMLScalarVolumeNode":
    volume = add_even("Fused", 10, 250, 90)
    volume.SetAttribute(MODEL_ATTRIBUTE, "average")
    for source in sources:
        volume.AddNodeReferenceID(SOURCE_ROLE, source.GetID())
    return volume


@pytest.fixture
def module_widget(
    application: object, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> "Iterator[SlicerFusionWidget]":
    """The module's widget as Slicer makes it; the worker that it starts when it opens is no process."""
    folder = tmp_path_factory.mktemp("worker")
    monkeypatch.setattr("SlicerFusionLib.fusion_logic.new_worker", lambda: ScriptedWorker(folder))
    widget = SlicerFusionWidget(standins.widgets.new_module_widget())
    widget.setup()
    yield widget
    widget.cleanup()
    for selector in widget.parent.findChildren(standins.widgets.qMRMLNodeComboBox):
        selector.setMRMLScene(None)


@pytest.fixture
def panel(module_widget: "SlicerFusionWidget") -> "FusionPanel":
    return module_widget.panel


@pytest.fixture
def get_parameters(panel: "FusionPanel") -> "Callable[[], FusionParameters]":
    """Return the panel's parameters, which are others after a scene was closed."""
    return lambda: panel.parameters
