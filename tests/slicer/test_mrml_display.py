"""What goes into a fusion is what slice views show."""

import numpy as np
import pytest
import slicer
from monai.data import MetaTensor

from SlicerFusionLib.display import lookup_table, shown_table, shown_window
from SlicerFusionLib.source import write_sources
from tests.slicer.conftest import displayed
from volfuse.imaging import ApplyWindowsd, LoadSourcesd, RestoreColord, SplitLuminanced
from volfuse.imaging.windows import Limit, Window

PET_HEAT = "vtkMRMLPETProceduralColorNodePET-Heat"


def test_every_colour_table_of_slicer_is_read_as_slice_views_show_it(scene, add_volume):
    ramp = add_volume("ramp", np.arange(256, dtype=np.float32).reshape(4, 8, 8))
    ramp.GetDisplayNode().SetAutoWindowLevel(False)
    ramp.GetDisplayNode().SetWindowLevelMinMax(0, 255)
    color_nodes = [
        node
        for node in slicer.util.getNodesByClass("vtkMRMLColorNode", scene)
        if node.GetScalarsToColors() is not None
    ]
    assert len(color_nodes) > 40
    for color_node in color_nodes:
        ramp.GetDisplayNode().SetAndObserveColorNodeID(color_node.GetID())
        table = lookup_table(color_node)
        grey = np.repeat(np.arange(256)[:, None], 3, axis=1)
        seen = displayed(ramp).reshape(256, 3)
        np.testing.assert_array_equal(grey if table is None else table, seen, err_msg=color_node.GetName())


def test_a_table_of_few_colours_is_read_as_slice_views_show_it(scene, add_volume):
    few = slicer.vtkMRMLColorTableNode()
    few.SetTypeToUser()
    few.SetNumberOfColors(7)
    for index in range(7):
        few.SetColor(index, str(index), index / 6, 1 - index / 6, 0.3)
    few.GetLookupTable().SetRange(0, 1000)
    scene.AddNode(few)
    ramp = add_volume("ramp", np.arange(256, dtype=np.float32).reshape(4, 8, 8))
    ramp.GetDisplayNode().SetAutoWindowLevel(False)
    ramp.GetDisplayNode().SetWindowLevelMinMax(0, 255)
    ramp.GetDisplayNode().SetAndObserveColorNodeID(few.GetID())
    np.testing.assert_array_equal(shown_table(ramp), displayed(ramp).reshape(256, 3))


def test_a_ramp_of_grey_is_no_colour_but_an_inverted_one_is(scene):
    assert lookup_table(scene.GetNodeByID("vtkMRMLColorTableNodeGrey")) is None
    inverted = lookup_table(scene.GetNodeByID("vtkMRMLColorTableNodeInvertedGrey"))
    np.testing.assert_array_equal(inverted[:, 0], np.arange(255, -1, -1))


def test_colours_in_a_fusion_are_those_shown_within_one_step_of_the_table(scene, add_volume, noise, tmp_path):
    pet = add_volume("PET", noise)
    pet.GetDisplayNode().SetAutoWindowLevel(False)
    pet.GetDisplayNode().SetWindowLevelMinMax(70, 130)
    pet.GetDisplayNode().SetAndObserveColorNodeID(PET_HEAT)
    source, _ = write_sources(pet, pet, tmp_path)

    case = LoadSourcesd("0")({"0": source.file})
    window = Window(Limit(source.window[0]), Limit(source.window[1]))
    case = SplitLuminanced(["0"], [source.table])(ApplyWindowsd(["0"], [window])(case))
    case["pred"] = MetaTensor(case["image"].as_tensor(), meta=case["image"].meta)
    fused = RestoreColord("pred")(case)["pred"].numpy().transpose(3, 2, 1, 0)

    # Slicer spreads the 256 colours over 255 steps, volfuse (as VTK and matplotlib alone do) over 256.
    level = np.clip((noise.astype(np.float64) - 70) / 60, 0, 1)
    np.testing.assert_array_equal(displayed(pet), source.table[np.floor(level * 255).astype(int)])
    np.testing.assert_array_equal(fused, source.table[np.minimum(level * 256, 255).astype(int)])


@pytest.mark.parametrize(("window", "level"), [(60.0, 100.0), (-60.0, 100.0)])
def test_the_window_is_the_one_shown_even_if_it_is_inverted(add_volume, noise, window, level):
    volume = add_volume("MR", noise)
    volume.GetDisplayNode().SetAutoWindowLevel(False)
    volume.GetDisplayNode().SetWindowLevel(window, level)
    assert shown_window(volume) == (70.0, 130.0)


def test_a_volume_that_was_never_displayed_is_grey_over_all_its_values(scene, noise):
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "MR")
    slicer.util.updateVolumeFromArray(volume, noise)
    assert shown_window(volume) == (noise.min(), noise.max())
    assert shown_table(volume) is None


@pytest.mark.parametrize("components", [3, 4])
def test_a_colour_volume_is_a_colour_source_without_window_and_table(add_volume, tmp_path, components):
    voxels = np.random.default_rng(0).integers(0, 256, (4, 5, 6, components)).astype(np.uint8)
    volume = add_volume("RGB", voxels, kind="vtkMRMLVectorVolumeNode")
    source, _ = write_sources(volume, volume, tmp_path)
    assert (source.window, source.table) == ((0, 255), None)
    assert b"kinds: RGB-color" in source.file.read_bytes() or components == 4
    read = LoadSourcesd("0")({"0": source.file})["0"]
    np.testing.assert_array_equal(read.numpy(), voxels[..., :3].transpose(3, 2, 1, 0))
