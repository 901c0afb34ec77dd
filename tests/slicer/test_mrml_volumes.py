"""Which kind of image a volume is, and which two are most likely meant."""

import numpy as np
import pytest
import slicer

from SlicerFusionLib.result import MODEL_ATTRIBUTE
from SlicerFusionLib.volumes import likely_pair, modality


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("BrainPET_AC", "PET"),
        ("4: FDG static", "PET"),
        ("petct-fused", ""),
        ("sub-01_pet", "PET"),
        ("spect_hmpao", "SPECT"),
        ("CTChest", "CT"),
        ("head_ct2", "CT"),
        ("ct_T1", "CT"),
        ("MRHead", "MR"),
        ("MRBrainTumor1", "MR"),
        ("sub-01_T1w", "T1"),
        ("SubjectT1MPRAGE", "T1"),
        ("AX T2 FLAIR", "T2"),
        ("Electron density", ""),
        ("septum", ""),
        ("Volume_1", ""),
    ],
)
def test_the_words_of_a_name_tell_the_modality(add_volume, noise, name, expected):
    assert modality(add_volume(name, noise)) == expected


def test_the_dicom_header_weighs_more_than_the_name_and_colours_more_than_it_too(scene, add_volume, noise):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    volume = add_volume("CT for PET", noise)
    volume.GetDisplayNode().SetAndObserveColorNodeID("vtkMRMLPETProceduralColorNodePET-DICOM")
    assert modality(volume) == "PET"
    item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), volume)
    for header, expected in (("CT", "CT"), ("NM", "SPECT"), ("PT", "PET"), ("MR", "MR")):
        hierarchy.SetItemAttribute(item, "DICOM.Modality", header)
        assert modality(volume) == expected
    volume.SetName("T2 ax")
    assert modality(volume) == "T2"


def test_an_empty_scene_has_no_pair_and_one_volume_is_the_reference(scene, add_volume, noise):
    assert likely_pair(scene) == (None, None)
    only = add_volume("PET", noise)
    assert likely_pair(scene) == (only, None)


@pytest.mark.parametrize(
    ("loaded", "reference", "second"),
    [
        (["pet", "mr"], "mr", "pet"),
        (["mr", "pet"], "mr", "pet"),
        (["CT", "MR"], "MR", "CT"),
        (["T2", "T1"], "T1", "T2"),
        (["spect", "ct"], "ct", "spect"),
        (["a", "b"], "a", "b"),
        (["old mr", "pet", "mr", "ct"], "ct", "pet"),
        (["x", "y", "z"], "y", "z"),
    ],
)
def test_the_newest_volumes_are_meant_and_anatomy_is_the_reference(
    scene, add_volume, noise, loaded, reference, second
):
    for name in loaded:
        add_volume(name, noise)
    assert [volume.GetName() for volume in likely_pair(scene)] == [reference, second]


def test_the_volumes_in_the_slice_views_are_meant_before_newer_ones(scene, add_volume, noise):
    pet, mr, *_ = [add_volume(name, noise) for name in ("pet", "mr", "new pet", "new mr")]
    view = scene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    view.SetBackgroundVolumeID(pet.GetID())
    assert [volume.GetName() for volume in likely_pair(scene)] == ["new mr", "new pet"]
    view.SetForegroundVolumeID(mr.GetID())
    assert likely_pair(scene) == (mr, pet)


def test_what_cannot_be_a_source_and_earlier_results_are_not_meant(scene, add_volume, noise):
    mr, pet = add_volume("mr", noise), add_volume("pet", noise)
    add_volume("labels", (noise > 100).astype(np.uint8), kind="vtkMRMLLabelMapVolumeNode")
    add_volume("pet + mr (TAFIE)", noise).SetAttribute(MODEL_ATTRIBUTE, "tafie")
    add_volume("hidden", noise).HideFromEditorsOn()
    scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    assert likely_pair(scene) == (mr, pet)
