"""Every refusal with its sentence."""

import numpy as np
import pytest
import slicer

from SlicerFusionLib.checks import reason_not_to_fuse
from tests.conftest import grid

SHAPE = (8, 7, 6)


def test_volumes_that_overlap_may_be_fused_and_a_volume_with_itself(add_volume, noise):
    reference, second = add_volume("MR", noise), add_volume("PET", noise, grid(3, 3, 3, center=SHAPE))
    assert reason_not_to_fuse(reference, second) == ""
    assert reason_not_to_fuse(reference, reference) == ""


def test_a_missing_choice_is_asked_for(add_volume, noise):
    volume = add_volume("MR", noise)
    assert reason_not_to_fuse(None, volume) == "Choose a reference volume."
    assert reason_not_to_fuse(volume, None) == "Choose a second volume."


def test_label_maps_are_refused(add_volume, noise):
    labels = add_volume("Tumour", (noise > 100).astype(np.uint8), kind="vtkMRMLLabelMapVolumeNode")
    expected = "Tumour is a label map; choose an image."
    assert reason_not_to_fuse(add_volume("MR", noise), labels) == expected
    assert reason_not_to_fuse(labels, add_volume("MR", noise)) == expected


def test_sequences_are_refused(scene, add_volume, noise):
    slicer.vtkSlicerSequencesLogic().SetMRMLScene(scene)
    sequence = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "4D")
    expected = "4D is not a volume; choose a grey or colour volume."
    assert reason_not_to_fuse(add_volume("MR", noise), sequence) == expected


def test_volumes_without_image_data_are_refused(scene, add_volume, noise):
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Empty")
    expected = "Empty has no image data; choose or load another volume."
    assert reason_not_to_fuse(empty, add_volume("MR", noise)) == expected


@pytest.mark.parametrize(
    ("components", "dtype", "type_name"),
    [(3, np.float32, "float"), (2, np.uint8, "unsigned char"), (12, np.int16, "short")],
)
def test_time_series_and_vector_fields_are_refused(add_volume, noise, components, dtype, type_name):
    voxels = np.repeat(noise[..., None], components, axis=3).astype(dtype)
    series = add_volume("DCE", voxels, kind="vtkMRMLVectorVolumeNode")
    expected = (
        f"DCE has {components} values of type {type_name} per voxel, as time series and vector fields have; "
        "choose a volume with one value per voxel or 8-bit colour."
    )
    assert reason_not_to_fuse(add_volume("MR", noise), series) == expected


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_no_numbers_are_refused(add_volume, noise, bad):
    voxels = noise.copy()
    voxels[3, 2, 1] = bad
    expected = "SUV holds NaN or infinite voxels; replace them, for example by the background value."
    assert reason_not_to_fuse(add_volume("MR", noise), add_volume("SUV", voxels)) == expected


def test_constant_volumes_are_refused(add_volume, noise):
    constant = add_volume("Air", np.full((6, 7, 8), -1024, np.int16))
    expected = "Air has the value -1024 everywhere; there is nothing to fuse."
    assert reason_not_to_fuse(constant, add_volume("MR", noise)) == expected


def test_a_window_of_no_width_is_refused(add_volume, noise):
    volume = add_volume("MR", noise)
    volume.GetDisplayNode().SetAutoWindowLevel(False)
    volume.GetDisplayNode().SetWindowLevel(0, 100)
    expected = "MR is shown with an intensity window of no width; widen it."
    assert reason_not_to_fuse(volume, volume) == expected


def test_volumes_apart_from_each_other_are_refused_until_a_transform_brings_them_together(
    scene, add_volume, noise
):
    far = np.eye(4)
    far[:3, 3] = 0, 0, 500
    reference, second = add_volume("MR", noise), add_volume("PET", noise, far)
    expected = "MR and PET do not overlap in space; register them first."
    assert reason_not_to_fuse(reference, second) == expected
    registration = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    registration.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.linalg.inv(far)))
    second.SetAndObserveTransformNodeID(registration.GetID())
    assert reason_not_to_fuse(reference, second) == ""


def test_boxes_that_overlap_while_the_oblique_volumes_do_not_are_refused(add_volume, noise):
    angle = np.radians(45)
    diagonal = np.eye(4)
    diagonal[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    beside = diagonal.copy()
    beside[:3, 3] = diagonal[:3, :3] @ [0, 9, 0]
    reference, second = add_volume("MR", noise, diagonal), add_volume("PET", noise, beside)
    assert reason_not_to_fuse(reference, second) == "MR and PET do not overlap in space; register them first."


def test_a_thin_slab_between_the_samples_of_a_large_volume_overlaps(add_volume):
    voxels = np.random.default_rng(0).normal(size=(100, 100, 100)).astype(np.float32)
    slab = np.eye(4)
    slab[2, 3] = 54.7
    reference, second = add_volume("MR", voxels), add_volume("One slice", voxels[:1], slab)
    assert reason_not_to_fuse(reference, second) == ""
    assert reason_not_to_fuse(second, reference) == ""
