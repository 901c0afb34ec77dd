"""What the slice views show, read from the images that Slicer's own slice logics compose."""

from collections.abc import Callable

import numpy as np
import pytest
import slicer
from standins.application import Application

from SlicerFusionLib.parameters import FusionParameters
from SlicerFusionLib.reading_tools import ReadingTools
from SlicerFusionLib.widget import FusionPanel
from tests.slicer.conftest import displayed

Volume = slicer.vtkMRMLScalarVolumeNode
Place = tuple[float, ...]


def middle(application: Application, view: str) -> tuple[int, ...]:
    picture = application.picture(view)
    return tuple(picture[picture.shape[0] // 2, picture.shape[1] // 2].tolist())


def test_the_blend_goes_from_the_overlay_to_exactly_the_fused_colours(
    application: Application, sources: tuple[Volume, Volume], fused: Volume
) -> None:
    tools = ReadingTools()
    tools.show([*sources, fused], 1.0)
    for view in ("Red", "Green", "Yellow"):
        assert middle(application, view) == (10, 250, 90)
    tools.set_blend(0.0)
    assert middle(application, "Red") == (150, 150, 150)
    tools.set_blend(0.5)
    assert middle(application, "Red") == (80, 200, 120)


def test_all_views_are_linked(
    application: Application, sources: tuple[Volume, Volume], fused: Volume
) -> None:
    ReadingTools().show([*sources, fused], 1.0)
    for logic in application.slices.values():
        assert logic.GetSliceCompositeNode().GetLinkedControl()
        assert logic.GetSliceCompositeNode().GetHotLinkedControl()


def test_a_fused_volume_is_shown_also_without_its_sources(application: Application, fused: Volume) -> None:
    ReadingTools().show([fused], 0.0)
    assert middle(application, "Red") == (10, 250, 90)


def test_the_checkerboard_shows_each_source_in_half_of_the_blocks(
    application: Application, scene: slicer.vtkMRMLScene, sources: tuple[Volume, Volume], fused: Volume
) -> None:
    tools = ReadingTools()
    tools.show([*sources, fused], 1.0)
    tools.show_checkerboard(*sources)
    board = scene.GetFirstNodeByName("Checkerboard")
    values = displayed(board)
    np.testing.assert_array_equal(values[0, :2, :4, 0], [[100, 100, 200, 200]] * 2)
    np.testing.assert_array_equal(values[2, :2, :4, 0], [[200, 200, 100, 100]] * 2)
    assert (values == 100).mean() == 0.5
    picture = application.picture("Red")
    assert min((picture == 100).mean(), (picture == 200).mean()) > 0.2
    assert board.GetHideFromEditors()
    assert not board.GetSaveWithScene()
    tools.show([*sources, fused], 1.0)
    assert scene.GetFirstNodeByName("Checkerboard") is None


def test_the_checkerboard_follows_transforms_and_grids(scene: slicer.vtkMRMLScene, head: Callable) -> None:
    """The same head on two grids, one of them moved away and brought back by its transform, matches itself."""
    head("MR", 4.0, (44, 52, 24))
    reference, moved = head("MR", 4.0, (44, 52, 24)), head("MR", 3.0, (60, 72, 40))
    moved.SetOrigin([coordinate + 20 for coordinate in moved.GetOrigin()])
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(
        slicer.util.vtkMatrixFromArray(
            np.array([[1, 0, 0, -20], [0, 1, 0, -20], [0, 0, 1, -20], [0, 0, 0, 1.0]])
        )
    )
    moved.SetAndObserveTransformNodeID(transform.GetID())
    for volume in (reference, moved):
        volume.GetDisplayNode().SetAutoWindowLevel(False)
        volume.GetDisplayNode().SetWindowLevelMinMax(0, 1000)
    ReadingTools().show_checkerboard(reference, moved)
    board = displayed(scene.GetFirstNodeByName("Checkerboard")).astype(int)
    assert np.abs(board - displayed(reference)).mean() < 2


def test_several_fused_volumes_stand_beside_the_overlay(
    application: Application,
    sources: tuple[Volume, Volume],
    fused: Volume,
    add_even: Callable[..., Volume],
) -> None:
    tools = ReadingTools()
    tools.show_side_by_side(sources, [fused, add_even("Other", 30)])
    shown = {view: middle(application, view) for view in ("Fusion0", "Fusion1", "Fusion2")}
    assert shown == {"Fusion0": (150,) * 3, "Fusion1": (10, 250, 90), "Fusion2": (30,) * 3}
    layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    assert layout.GetLayoutDescription(layout.GetViewArrangement()).count("Axial") == 3
    tools.show_side_by_side(sources, [fused] * 4)
    assert layout.GetLayoutDescription(layout.GetViewArrangement()).count("horizontal") == 2
    tools.show_side_by_side(sources, [fused, fused])
    assert middle(application, "Fusion2") == (10, 250, 90)


def test_the_panel_shows_what_is_chosen_in_it(
    application: Application,
    panel: FusionPanel,
    get_parameters: Callable[[], FusionParameters],
    sources: tuple[Volume, Volume],
    fused: Volume,
) -> None:
    parameters, ui = get_parameters(), panel.ui
    parameters.reference, parameters.second = sources
    ui.resultSelector.setCurrentNode(fused)
    assert middle(application, "Red") == (10, 250, 90)
    ui.blendSlider.value = 0.5
    assert middle(application, "Red") == (80, 200, 120)
    ui.checkerboardCheckBox.setChecked(True)
    assert {100, 200} <= set(np.unique(application.picture("Red")))
    ui.checkerboardCheckBox.setChecked(False)
    assert middle(application, "Red") == (80, 200, 120)
    slicer.util.setSliceViewerLayers(background=sources[1])
    ui.showButton.click()
    assert middle(application, "Red") == (80, 200, 120)


def test_opening_the_panel_leaves_the_views_alone(
    application: Application, sources: tuple[Volume, Volume], fused: Volume, request: pytest.FixtureRequest
) -> None:
    slicer.util.setSliceViewerLayers(background=sources[1])
    request.getfixturevalue("panel")
    assert middle(application, "Red") == (200,) * 3


def turn_aside(view: str) -> None:
    """Zoom, tilt and move a slice view, as a reader does."""
    slices = slicer.app.slices[view].GetSliceNode()
    slices.SetFieldOfView(60, 60, 1)
    slices.SetSliceToRASByNTP(0.2, 0.1, 1, 1, 0, 0, 3, -2, 28, 0)
    slices.UpdateMatrices()


def places() -> dict[str, tuple[Place, Place, int, int]]:
    """Where the three standard views are, their zoom and their links."""
    found = {}
    for view in ("Red", "Green", "Yellow"):
        logic = slicer.app.slices[view]
        matrix = slicer.util.arrayFromVTKMatrix(logic.GetSliceNode().GetSliceToRAS())
        composite = logic.GetSliceCompositeNode()
        found[view] = (
            tuple(matrix.ravel().tolist()),
            tuple(logic.GetSliceNode().GetFieldOfView()),
            composite.GetLinkedControl(),
            composite.GetHotLinkedControl(),
        )
    return found


def test_a_reader_keeps_place_zoom_tilt_and_links(
    application: Application, sources: tuple[Volume, Volume], fused: Volume, add_even: Callable[..., Volume]
) -> None:
    slicer.util.setSliceViewerLayers(background=sources[0])
    for view in ("Red", "Green", "Yellow"):
        turn_aside(view)
    before = places()
    tools = ReadingTools()
    for step in (
        lambda: tools.show([*sources, fused], 1.0),
        lambda: tools.show_checkerboard(*sources),
        lambda: tools.show([*sources, fused], 0.5, 0.5),
        lambda: tools.set_swipe(fused, 1.0),
        lambda: tools.show_side_by_side(sources, [fused, add_even("Other", 30)]),
        lambda: tools.show([*sources, fused], 1.0),
    ):
        step()
        assert places() == before


def test_empty_views_are_fitted_and_linked(
    application: Application, sources: tuple[Volume, Volume], fused: Volume
) -> None:
    for view in ("Red", "Green", "Yellow"):
        turn_aside(view)
    before = places()
    ReadingTools().show([*sources, fused], 1.0)
    for view, (_, field_of_view, *links) in places().items():
        assert field_of_view != before[view][1]
        assert links == [1, 1]


def test_a_comparison_begins_where_the_reader_is(
    application: Application, sources: tuple[Volume, Volume], fused: Volume
) -> None:
    slicer.util.setSliceViewerLayers(background=sources[0])
    turn_aside("Red")
    there = slicer.util.arrayFromVTKMatrix(application.slices["Red"].GetSliceNode().GetSliceToRAS())
    ReadingTools().show_side_by_side(sources, [fused, fused])
    for view in ("Fusion0", "Fusion1", "Fusion2"):
        slices = application.slices[view].GetSliceNode()
        np.testing.assert_array_equal(slicer.util.arrayFromVTKMatrix(slices.GetSliceToRAS()), there)
        assert min(slices.GetFieldOfView()[:2]) == 60


def test_the_layout_before_a_comparison_comes_back(
    application: Application, sources: tuple[Volume, Volume], fused: Volume
) -> None:
    layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    layout.SetViewArrangement(layout.SlicerLayoutFourUpView)
    tools = ReadingTools()
    tools.show([*sources, fused])
    tools.show_side_by_side(sources, [fused, fused])
    tools.show_side_by_side(sources, [fused, fused, fused])
    assert layout.GetViewArrangement() != layout.SlicerLayoutFourUpView
    tools.show([*sources, fused])
    assert layout.GetViewArrangement() == layout.SlicerLayoutFourUpView
    layout.SetViewArrangement(layout.SlicerLayoutOneUpRedSliceView)
    tools.show([*sources, fused])
    assert layout.GetViewArrangement() == layout.SlicerLayoutOneUpRedSliceView
