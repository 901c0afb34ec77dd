"""Swipe from the sources to the fused volume, in the images that Slicer's slice logics compose."""

from collections.abc import Callable

import numpy as np
import pytest
import slicer
from standins.application import Application

from SlicerFusionLib.parameters import FusionParameters
from SlicerFusionLib.reading_tools import ReadingTools
from SlicerFusionLib.widget import FusionPanel

FUSED, OVERLAY = (10, 250, 90), (150, 150, 150)
# From voxels of a cube to the same cube: as it is, mirrored, axes exchanged in two ways.
PLACINGS = {
    "RAS": np.eye(3),
    "LPS": np.diag([-1, -1, 1]),
    "SRA": np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]]),
    "IAL": np.array([[0, 0, -1], [0, 1, 0], [-1, 0, 0]]),
}


def columns_of(application: Application, view: str, color: tuple[int, ...]) -> np.ndarray:
    """The columns of pixels, from the left, in which a slice view shows a colour."""
    return np.unique(np.nonzero((application.picture(view) == color).all(-1))[1])


def place(volume: slicer.vtkMRMLVolumeNode, axes: np.ndarray) -> None:
    """Let the cube lie amid the world, with its voxels along ``axes``."""
    matrix = np.eye(4)
    matrix[:3, :3] = axes
    matrix[:3, 3] = -axes @ np.full(3, 7.5)
    volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))


@pytest.mark.parametrize("placing", PLACINGS)
@pytest.mark.parametrize("is_transformed", [False, True])
def test_the_fused_volume_covers_the_left_part_of_every_view(
    application: Application,
    scene: slicer.vtkMRMLScene,
    sources: tuple,
    fused: slicer.vtkMRMLVolumeNode,
    placing: str,
    is_transformed: bool,
) -> None:
    for volume in (*sources, fused):
        place(volume, np.eye(3) if is_transformed else PLACINGS[placing])
        if is_transformed:
            matrix = np.eye(4)
            matrix[:3, :3] = PLACINGS[placing]
            transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
            transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
            volume.SetAndObserveTransformNodeID(transform.GetID())
    ReadingTools().show([*sources, fused], 1.0, 0.25)
    for view in ("Red", "Green", "Yellow"):
        left, right = (columns_of(application, view, color) for color in (FUSED, OVERLAY))
        assert left.size and right.size
        assert left.max() < right.min()
        assert left.size / (left.size + right.size) == pytest.approx(0.25, abs=0.06)


def test_the_swipe_moves_and_leaves_nothing_when_all_of_the_fused_volume_shows(
    application: Application, scene: slicer.vtkMRMLScene, sources: tuple, fused: slicer.vtkMRMLVolumeNode
) -> None:
    tools = ReadingTools()
    tools.show([*sources, fused])
    everything = columns_of(application, "Red", FUSED)
    for share in (0.75, 0.0, 0.5):
        tools.set_swipe(fused, share)
        assert columns_of(application, "Red", FUSED).size / everything.size == pytest.approx(share, abs=0.1)
    parts = slicer.util.getNodesByClass("vtkMRMLVectorVolumeNode")[1:]
    assert [each.GetName() for each in parts] == ["Swipe"] * 2  # one across, one from front to back
    assert all(each.GetHideFromEditors() and not each.GetSaveWithScene() for each in parts)
    tools.set_swipe(fused, 1.0)
    np.testing.assert_array_equal(columns_of(application, "Red", FUSED), everything)
    assert slicer.util.getNodesByClass("vtkMRMLVectorVolumeNode") == [fused]


def test_a_grey_volume_takes_the_place_of_a_coloured_one_in_the_swipe(
    application: Application, sources: tuple, fused: slicer.vtkMRMLVolumeNode, add_even: Callable
) -> None:
    tools, grey = ReadingTools(), add_even("Grey", 30)
    tools.show([*sources, fused], 1.0, 0.5)
    tools.show([*sources, grey], 1.0, 0.5)
    assert columns_of(application, "Red", (30, 30, 30)).size
    assert not columns_of(application, "Red", FUSED).size


def test_the_sliders_of_the_panel_fade_and_swipe(
    application: Application,
    scene: slicer.vtkMRMLScene,
    panel: FusionPanel,
    get_parameters: Callable[[], FusionParameters],
    sources: tuple,
    fused: slicer.vtkMRMLVolumeNode,
) -> None:
    get_parameters().result = fused
    panel.ui.swipeSlider.value = 0.5
    panel.ui.blendSlider.value = 0.5
    faded, overlay = (columns_of(application, "Red", color) for color in ((80, 200, 120), OVERLAY))
    assert faded.size and faded.max() < overlay.min()
    panel.ui.showButton.click()
    np.testing.assert_array_equal(columns_of(application, "Red", OVERLAY), overlay)
    scene.RemoveNode(fused)
    assert columns_of(application, "Red", OVERLAY).size > overlay.size
    assert scene.GetFirstNodeByName("Swipe") is None
