"""A fused NIfTI file lies on its reference in 3D Slicer, too, whatever the reference says of its place."""

import numpy as np
import pytest
import torch

from tests.files import positions_in_nifti, write_nifti_forms
from tests.slicer.conftest import affine_of
from volfuse.imaging import read_image, write_image

POSITIONS = positions_in_nifti()


@pytest.mark.parametrize(
    "kind", [kind for kind in POSITIONS if kind != "sheared"]
)  # which Slicer does not open
def test_a_result_lies_on_its_reference(scene, tmp_path, kind):
    voxels = np.random.default_rng(0).integers(0, 1000, (6, 7, 8)).astype(np.int16)
    reference = write_nifti_forms(tmp_path / "mr.nii.gz", voxels, **POSITIONS[kind])
    image = read_image(reference)
    image.set_array((image * 0.2).to(torch.uint8))
    fused = write_image(image, tmp_path / "fused.nii.gz")
    np.testing.assert_array_equal(loaded(scene, fused), loaded(scene, reference))


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_sheared_slices_are_right_in_other_formats(scene, tmp_path, suffix):
    voxels = np.random.default_rng(0).integers(0, 255, (6, 7, 8)).astype(np.uint8)
    image = read_image(write_nifti_forms(tmp_path / "mr.nii.gz", voxels, **POSITIONS["sheared"]))
    image.set_array(image.to(torch.uint8))
    fused = write_image(image, tmp_path / f"fused{suffix}")
    np.testing.assert_allclose(loaded(scene, fused), POSITIONS["sheared"]["sform"][0], atol=1e-6)


def loaded(scene, file):
    storage = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    storage.SetFileName(str(file))
    storage.SetSingleFile(True)
    assert storage.ReadData(volume)
    return affine_of(volume)
