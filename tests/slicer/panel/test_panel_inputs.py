"""What the panel makes of the volumes and choices, before anything is fused."""

from collections.abc import Callable

import numpy as np
import pytest
import slicer

from SlicerFusion import SlicerFusionWidget
from SlicerFusionLib.choices import Colors, Preset, Window
from SlicerFusionLib.parameters import FusionParameters
from SlicerFusionLib.widget import FusionPanel


def fuse_button(panel: FusionPanel) -> tuple[bool, str]:
    return panel.ui.fuseButton.enabled, panel.ui.fuseButton.toolTip


def test_an_empty_scene_says_what_to_do_first(panel: FusionPanel) -> None:
    assert fuse_button(panel) == (False, "Choose a reference volume.")
    assert panel.ui.statusLabel.text == "Choose a reference volume."
    assert not panel.ui.showButton.enabled
    assert not panel.ui.checkerboardCheckBox.enabled


def test_entering_fills_in_the_two_volumes_most_likely_meant(
    module_widget: SlicerFusionWidget, get_parameters: Callable[[], FusionParameters], head: Callable
) -> None:
    module_widget.exit()
    pet, mr = head("PET"), head("MR")
    assert get_parameters().reference is None
    module_widget.enter()
    assert (get_parameters().reference, get_parameters().second) == (mr, pet)
    assert fuse_button(module_widget.panel) == (True, "Make one volume that shows both.")


def test_entering_again_keeps_what_the_user_chose(
    module_widget: SlicerFusionWidget, get_parameters: Callable[[], FusionParameters], head: Callable
) -> None:
    pet, _ = head("PET"), head("MR")
    get_parameters().reference = pet
    module_widget.exit()
    module_widget.enter()
    assert (get_parameters().reference, get_parameters().second) == (pet, None)


def test_fuse_tells_why_it_is_not_possible(
    panel: FusionPanel, get_parameters: Callable[[], FusionParameters], head: Callable
) -> None:
    parameters = get_parameters()
    parameters.reference, far = head("MR"), head("PET")
    assert fuse_button(panel) == (False, "Choose a second volume.")
    far.SetOrigin(5000, 0, 0)
    parameters.second = far
    assert fuse_button(panel) == (False, "MR and PET do not overlap in space; register them first.")
    parameters.second = head("CT")
    assert fuse_button(panel)[0]
    parameters.model = "not-here"
    assert fuse_button(panel) == (False, "The model 'not-here' is not installed; choose another.")
    assert panel.ui.modelComboBox.currentIndex == -1


def test_a_volume_that_became_unfit_is_noticed_at_the_click(
    panel: FusionPanel, get_parameters: Callable[[], FusionParameters], head: Callable
) -> None:
    parameters = get_parameters()
    parameters.reference, parameters.second = head("MR"), head("PET")
    slicer.util.arrayFromVolume(parameters.second)[:] = 3
    panel.ui.fuseButton.click()
    assert not panel.logic.busy
    assert fuse_button(panel) == (False, "PET has the value 3 everywhere; there is nothing to fuse.")


def test_label_maps_are_not_offered(panel: FusionPanel, scene: slicer.vtkMRMLScene, head: Callable) -> None:
    head("MR")
    scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "Segmentation")
    scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "Colour")
    selector = panel.ui.referenceSelector
    assert [selector.itemText(row) for row in range(selector.count)] == ["None", "MR", "Colour"]


@pytest.mark.parametrize(
    ("preset", "first", "second", "reference_look", "second_look"),
    [
        ("NUCLEAR_MR", "MR", "PET", ("MR", "GREY"), ("NUCLEAR", "HEAT")),
        ("NUCLEAR_MR", "PET", "MR", ("NUCLEAR", "HEAT"), ("MR", "GREY")),
        ("CT_MR", "CT", "MR", ("CT_BRAIN", "GREY"), ("MR", "GREY")),
        ("T1_T2", "MR", "MR", ("MR", "GREY"), ("MR", "GREY")),
        ("AS_SHOWN", "MR", "PET", ("AS_SHOWN", "AS_SHOWN"), ("AS_SHOWN", "AS_SHOWN")),
    ],
)
def test_a_preset_sets_windows_and_colours_by_what_each_volume_is(
    panel: FusionPanel,
    get_parameters: Callable[[], FusionParameters],
    head: Callable,
    preset: str,
    first: str,
    second: str,
    reference_look: tuple[str, str],
    second_look: tuple[str, str],
) -> None:
    parameters = get_parameters()
    parameters.preset = Preset.CT_MR if preset != "CT_MR" else Preset.T1_T2
    parameters.reference, parameters.second = head(first), head(second)
    panel.ui.presetComboBox.setCurrentIndex(list(Preset).index(Preset[preset]))
    assert (parameters.reference_window, parameters.reference_colors) == (
        Window[reference_look[0]],
        Colors[reference_look[1]],
    )
    assert (parameters.second_window, parameters.second_colors) == (
        Window[second_look[0]],
        Colors[second_look[1]],
    )


def test_a_window_chosen_by_hand_stays_until_volumes_or_preset_change(
    panel: FusionPanel, get_parameters: Callable[[], FusionParameters], head: Callable
) -> None:
    parameters = get_parameters()
    parameters.reference, parameters.second, parameters.preset = head("MR"), head("CT"), Preset.CT_MR
    parameters.second_window = Window.CT_BONE
    parameters.model = "maximum"
    assert parameters.second_window is Window.CT_BONE
    parameters.second = head("CT")
    assert parameters.second_window is Window.CT_BRAIN


def test_every_colour_choice_is_a_colour_node_of_slicer(scene: slicer.vtkMRMLScene) -> None:
    for colors in list(Colors)[1:]:
        table = scene.GetNodeByID(colors.value)
        assert table is not None, colors
        assert table.IsA("vtkMRMLColorNode")


def test_moving_the_slider_does_not_look_at_the_voxels_again(
    panel: FusionPanel,
    get_parameters: Callable[[], FusionParameters],
    head: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parameters = get_parameters()
    parameters.reference, parameters.second = head("MR"), head("PET")
    looked = []
    monkeypatch.setattr(np, "isfinite", lambda values: looked.append(values) or np.ones_like(values, bool))
    parameters.blend = 0.5
    assert not looked
    parameters.second = head("CT")
    assert looked
