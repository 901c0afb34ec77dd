"""Draws the pictures of the Slicer tutorial: the panel on Qt 6 with stand-ins, slice views by Slicer's own MRML.

    pytest tests/slicer/panel/draw_pictures.py

writes them to ``docs/start/pictures``. No other run of the tests does: the name of this file keeps it out of them.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import slicer
import slicer.util
import standins
from matplotlib.figure import Figure
from PySide6 import QtGui, QtWidgets
from standins.application import wait_until

from SlicerFusion import SlicerFusionWidget
from SlicerFusionLib.widget import FusionPanel
from volfuse.data.demo import write_demo_pair
from volfuse.imaging import read_image

os.environ.setdefault("QT_QPA_FONTDIR", str(Path(mpl.get_data_path()) / "fonts" / "ttf"))

PICTURES = Path(__file__).parents[3] / "docs" / "start" / "pictures"
WIDTH = 460  # pixels of the panel
SECTIONS = ("imagesSection", "advancedSection", "resultSection", "compareSection", "serverSection")
VIEWS = ("Red", "Yellow", "Green")
VIEW_SIZE = 220  # pixels and mm


@pytest.fixture
def module(
    application: object, qt_application: QtWidgets.QApplication, tmp_path: Path
) -> Iterator[SlicerFusionWidget]:
    """The module's widget over a T1 and a simulated PET, with a real worker."""
    qt_application.setStyle("Fusion")
    qt_application.setPalette(QtGui.QPalette(QtGui.QColor(239, 239, 239)))
    qt_application.setFont(QtGui.QFont("DejaVu Sans", 9))
    t1, pet = write_demo_pair(tmp_path)
    load("T1", t1)
    load("PET", pet).GetDisplayNode().SetAndObserveColorNodeID(inferno().GetID())
    widget = SlicerFusionWidget(standins.widgets.new_module_widget())
    widget.setup()
    yield widget
    widget.cleanup()


def test_the_way_through_the_tutorial(module: SlicerFusionWidget) -> None:
    panel = module.panel
    photograph(module, "panel-images", ["imagesSection"])
    photograph(module, "panel-advanced", ["advancedSection"])
    panel.ui.fuseButton.click()
    wait_until(lambda: "left" in panel.ui.statusLabel.text, seconds=300)
    photograph(module, "panel-fusing", [])
    wait_until(lambda: not panel.logic.busy, seconds=600)
    photograph(module, "panel-result", ["resultSection"])
    photograph(module, "panel-compare", ["compareSection"])
    draw_slices(panel, {"Sources": (0.0, 1.0), "Swipe": (1.0, 0.5), "Fused": (1.0, 1.0)})


def load(name: str, path: Path) -> "slicer.vtkMRMLScalarVolumeNode":
    """Add a volume to the scene as Slicer's reader would."""
    image = read_image(path)
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(volume, np.asarray(image[0]).transpose(2, 1, 0))
    volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(np.asarray(image.affine)))
    volume.CreateDefaultDisplayNodes()
    return volume


def inferno() -> "slicer.vtkMRMLColorTableNode":
    """Add the colour table Inferno, which Slicer has in a file of its own."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLColorTableNode", "Inferno")
    node.SetTypeToUser()
    node.SetNumberOfColors(256)
    for index, color in enumerate(mpl.colormaps["inferno"].colors):
        node.SetColor(index, str(index), *color)
    return node


def photograph(module: SlicerFusionWidget, name: str, unfolded: Iterable[str]) -> None:
    """Save the panel with only these sections unfolded."""
    widget = module.parent
    for section in SECTIONS:
        getattr(module.panel.ui, section).collapsed = section not in unfolded
    widget.setFixedWidth(WIDTH)
    widget.show()
    slicer.app.processEvents()
    widget.resize(WIDTH, widget.sizeHint().height())
    slicer.app.processEvents()
    widget.grab().save(str(PICTURES / f"{name}.png"))


def draw_slices(panel: FusionPanel, shown: dict[str, tuple[float, float]]) -> None:
    """Save what three slice views show, a row for each pair of blend and swipe."""
    figure = Figure(figsize=(3 * len(VIEWS), 3 * len(shown)), facecolor="black")
    axes = figure.subplots(len(shown), len(VIEWS))
    for row, (title, (blend, swipe)) in zip(axes, shown.items(), strict=True):
        panel.parameters.blend, panel.parameters.swipe = blend, swipe
        panel.ui.showButton.click()
        for place, view in zip(row, VIEWS, strict=True):
            node = slicer.app.slices[view].GetSliceNode()
            node.SetDimensions(VIEW_SIZE, VIEW_SIZE, 1)
            node.SetFieldOfView(VIEW_SIZE, VIEW_SIZE, 1)
            place.imshow(slicer.app.picture(view), origin="lower")
            place.axis("off")
        row[0].set_title(title, color="white", loc="left")
    figure.tight_layout(pad=0.4)
    figure.savefig(PICTURES / "slices.png", dpi=80, facecolor="black")
