import bz2
import gzip
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
import torch

from tests.conftest import write_array
from tests.files import positions_in_nifti, write_nifti_forms
from volfuse import FusionOptions, fuse
from volfuse.errors import FusionError
from volfuse.imaging import read_image, write_image
from volfuse.imaging.stored import About

VOXELS = np.random.default_rng(0).integers(0, 1000, (6, 7, 8)).astype(np.int16)
AFFINE = np.diag([2.0, 3.0, 4.0, 1.0])
POSITIONS = positions_in_nifti()
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def by_nibabel(path: Path) -> np.ndarray:
    return nibabel.load(path).affine


def by_simpleitk(path: Path) -> np.ndarray | None:
    """Return the affine, or nothing where ITK refuses a sheared file."""
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        assert "orthonormal" in str(error)
        return None
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return LPS_TO_RAS @ affine


def written_after(reference: Path, suffix: str = ".nii.gz") -> Path:
    """Write what a fusion would: other voxels with the metadata of the reference."""
    image = read_image(reference)
    image.set_array((image * 0.2).to(torch.uint8))
    return write_image(image, reference.with_name(f"fused{suffix}"))


def notes(path: Path) -> tuple[str, ...]:
    return About.from_meta(read_image(path).meta).notes


@pytest.mark.parametrize("reader", [by_nibabel, by_simpleitk])
@pytest.mark.parametrize("kind", POSITIONS)
def test_a_result_lies_on_its_reference_for_every_reader(
    tmp_path: Path, kind: str, reader: Callable[[Path], np.ndarray | None]
) -> None:
    """Also in 3D Slicer: tests/slicer/test_mrml_nifti.py."""
    reference = write_nifti_forms(tmp_path / "mr.nii.gz", VOXELS, **POSITIONS[kind])
    np.testing.assert_equal(reader(written_after(reference)), reader(reference))


@pytest.mark.parametrize("kind", ["neither", "sform", "qform", "sheared", "micrometres", "metres, neither"])
def test_a_result_in_another_format_lies_where_itk_sees_the_reference(tmp_path: Path, kind: str) -> None:
    reference = write_nifti_forms(tmp_path / "mr.nii.gz", VOXELS, **POSITIONS[kind])
    expected = by_simpleitk(reference)
    if expected is None:  # sheared: only nibabel opens it
        expected = by_nibabel(reference)
    np.testing.assert_allclose(by_simpleitk(written_after(reference, ".nrrd")), expected, atol=1e-4)


def test_a_fusion_keeps_the_words_of_its_reference(tmp_path: Path) -> None:
    files = [
        write_nifti_forms(tmp_path / f"{name}.nii.gz", VOXELS, **POSITIONS["two, apart, of a template"])
        for name in ("mr", "pet")
    ]
    fused = write_image(
        fuse(files, model="maximum", options=FusionOptions(plane="coronal")), tmp_path / "f.nii"
    )
    for field in ("qform_code", "sform_code", "quatern_d", "srow_x", "pixdim", "xyzt_units"):
        np.testing.assert_array_equal(nibabel.load(fused).header[field], nibabel.load(files[0]).header[field])


NOTES = {
    "sform": (),
    "two, the same": (),
    "neither": (
        "mr.nii.gz does not say where it lies; it was placed as ITK and 3D Slicer place it: from the origin to the "
        "left, the back and the head of the patient.",
    ),
    "two, apart": ("The sform and qform of mr.nii.gz lie up to 38.2 mm apart; its sform was taken.",),
    "two, apart, of a template": (
        "The sform and qform of mr.nii.gz lie up to 38.2 mm apart; its sform was taken; ITK and 3D Slicer take its "
        "qform.",
    ),
    "sheared": (
        "The slices of mr.nii.gz are sheared; ITK and 3D Slicer open no such NIfTI file, but a result that ends with "
        ".nrrd or .mha.",
    ),
    "micrometres": ("mr.nii.gz gives lengths in micrometres; they were converted to millimetres.",),
}


@pytest.mark.parametrize("kind", NOTES)
def test_what_is_guessed_or_converted_is_said(tmp_path: Path, kind: str) -> None:
    assert notes(write_nifti_forms(tmp_path / "mr.nii.gz", VOXELS, **POSITIONS[kind])) == NOTES[kind]


def test_micrometres_become_millimetres(tmp_path: Path) -> None:
    image = read_image(write_nifti_forms(tmp_path / "mr.nii.gz", VOXELS, **POSITIONS["micrometres"]))
    np.testing.assert_allclose(np.linalg.norm(image.affine[:3, :3], axis=0), [0.002, 0.003, 0.004], rtol=1e-6)


def test_a_length_without_a_unit_that_cannot_be_millimetres_is_said(tmp_path: Path) -> None:
    forms = {"sform": (np.diag([2000.0, 2000.0, 4000.0, 1.0]), 1), "qform": (AFFINE, 0), "unit": 0}
    assert notes(write_nifti_forms(tmp_path / "mouse.nii", VOXELS, **forms)) == (
        "mouse.nii names no unit of length; millimetres were assumed, which make it 32000 mm long.",
    )


def test_sheared_slices_of_another_format_are_not_written_as_nifti(tmp_path: Path) -> None:
    reference = write_nifti_forms(tmp_path / "mr.nii.gz", VOXELS, **POSITIONS["sheared"])
    nrrd = written_after(reference, ".nrrd")
    with pytest.raises(
        FusionError, match="^The slices of the result are sheared, .* end the output with .nrrd"
    ):
        written_after(nrrd)
    assert not (tmp_path / "fused.nii.gz").exists()


@pytest.mark.parametrize("dtype", ["i1", "u1", ">i2", "u2", ">i4", "u4", "i8", "u8", ">f4", "f8"])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_every_type_of_number_is_read(tmp_path: Path, dtype: str, kind: type) -> None:
    voxels = (VOXELS % 100).astype(dtype)
    header = kind.header_class(endianness=">" if ">" in dtype else "<")
    image = kind(voxels, AFFINE, header, dtype=np.dtype(dtype))
    nibabel.save(image, tmp_path / "mr.nii")
    np.testing.assert_array_equal(read_image(tmp_path / "mr.nii")[0].numpy(), voxels.astype("f4"))


@pytest.mark.parametrize(
    ("slope", "intercept", "expected"), [(2.0, -5.0, (2, -5)), (0.0, 3.0, (1, 0)), (np.nan, np.nan, (1, 0))]
)
def test_stored_numbers_are_scaled(
    tmp_path: Path, slope: float, intercept: float, expected: tuple[int, int]
) -> None:
    image = nibabel.Nifti1Image(VOXELS, AFFINE)
    nibabel.save(image, tmp_path / "mr.nii")
    content = bytearray((tmp_path / "mr.nii").read_bytes())
    content[112:120] = np.array([slope, intercept], "<f4").tobytes()  # scl_slope, scl_inter
    (tmp_path / "mr.nii").write_bytes(content)
    voxels = read_image(tmp_path / "mr.nii")[0].numpy()
    np.testing.assert_array_equal(voxels, VOXELS * expected[0] + expected[1])


@pytest.mark.parametrize("suffix", [".NII.GZ", ".nii.bz2", "", ".img.nii"])
def test_compression_is_told_by_content(tmp_path: Path, suffix: str) -> None:
    nibabel.save(nibabel.Nifti1Image(VOXELS, AFFINE), tmp_path / "plain.nii")
    content = (tmp_path / "plain.nii").read_bytes()
    file = tmp_path / f"mr{suffix}"
    file.write_bytes(bz2.compress(content) if suffix.endswith("bz2") else gzip.compress(content))
    np.testing.assert_array_equal(read_image(file)[0].numpy(), VOXELS)


def test_gzip_of_several_members_is_one_file(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(VOXELS, AFFINE), tmp_path / "plain.nii")
    content = (tmp_path / "plain.nii").read_bytes()
    file = tmp_path / "mr.nii.gz"
    file.write_bytes(gzip.compress(content[:400]) + gzip.compress(content[400:]) + bytes(100))
    np.testing.assert_array_equal(read_image(file)[0].numpy(), VOXELS)


@pytest.mark.parametrize("colours", ["RGB", "RGBA"])
def test_colour_is_read_without_alpha(tmp_path: Path, colours: str) -> None:
    voxels = np.random.default_rng(0).integers(0, 256, (6, 7, 8, len(colours))).astype("u1")
    colour = voxels.view([(each, "u1") for each in colours])[..., 0]
    nibabel.save(nibabel.Nifti1Image(colour, AFFINE), tmp_path / "colour.nii.gz")
    np.testing.assert_array_equal(
        read_image(tmp_path / "colour.nii.gz").numpy(), voxels[..., :3].transpose(3, 0, 1, 2)
    )


@pytest.mark.parametrize("shape", [(6, 7, 8, 1), (6, 7, 8, 1, 1, 1), (6, 7), (6, 7, 1, 1)])
def test_axes_of_length_one_are_no_matter(tmp_path: Path, shape: tuple[int, ...]) -> None:
    nibabel.save(
        nibabel.Nifti1Image(VOXELS[:, :, : shape[2] if len(shape) > 2 else 1].reshape(shape), AFFINE),
        tmp_path / "mr.nii",
    )
    assert read_image(tmp_path / "mr.nii").shape == (1, *(*shape, 1)[:3])


@pytest.mark.parametrize("named", [".hdr", ".img"])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Pair, nibabel.Spm99AnalyzeImage])
def test_either_file_of_a_pair_may_be_named(tmp_path: Path, kind: type, named: str) -> None:
    nibabel.save(kind(VOXELS, AFFINE), tmp_path / "mr.img")
    (tmp_path / "mr.mat").unlink(missing_ok=True)
    image = read_image(tmp_path / f"mr{named}")
    np.testing.assert_array_equal(image[0].numpy(), VOXELS)
    about = About.from_meta(image.meta)
    assert about.format == ("NIfTI" if kind is nibabel.Nifti1Pair else "Analyze")
    assert ("does not say where it lies" in "".join(about.notes)) == (about.format == "Analyze")


def test_an_analyze_reference_is_met_by_its_result(tmp_path: Path) -> None:
    nibabel.save(nibabel.AnalyzeImage(VOXELS, AFFINE), tmp_path / "mr.img")
    fused = written_after(tmp_path / "mr.hdr")
    for reader in (by_nibabel, by_simpleitk):
        np.testing.assert_array_equal(reader(fused), reader(tmp_path / "mr.img"))


@pytest.mark.parametrize("suffix", [".mgh", ".mgz"])
def test_freesurfer_files_are_read(tmp_path: Path, suffix: str) -> None:
    affine = np.array([[0, 0, 2.0, 5], [-2, 0, 0, 6], [0, -3, 0, 7], [0, 0, 0, 1]])
    nibabel.save(nibabel.MGHImage(VOXELS, affine), tmp_path / f"T1{suffix}")
    image = read_image(tmp_path / f"T1{suffix}")
    np.testing.assert_array_equal(image[0].numpy(), VOXELS)
    np.testing.assert_allclose(image.affine, affine, atol=1e-5)


@pytest.mark.parametrize("intent", ["label", "neuroname"])
def test_labels_by_intent_are_refused(tmp_path: Path, intent: str) -> None:
    image = nibabel.Nifti1Image(VOXELS, AFFINE)
    image.header.set_intent(intent)
    nibabel.save(image, tmp_path / "seg.nii")
    with pytest.raises(FusionError, match=r"^seg.nii is a label map; choose an image\.$"):
        read_image(tmp_path / "seg.nii")


def test_a_field_of_vectors_is_refused(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.zeros((4, 5, 6, 1, 3), "f4") + np.arange(3, dtype="f4"), AFFINE)
    image.header.set_intent("vector")
    nibabel.save(image, tmp_path / "warp.nii")
    with pytest.raises(FusionError, match="^warp.nii has 3 components of type float32 per voxel"):
        read_image(tmp_path / "warp.nii")


def test_other_programs_files_in_simpleitks_hand_agree(tmp_path: Path) -> None:
    file = write_array(tmp_path / "mr.nii.gz", VOXELS, Spacing=(1.0, 2.0, 3.0), Origin=(4.0, 5.0, 6.0))
    np.testing.assert_allclose(read_image(file).affine, by_simpleitk(file), atol=1e-5)
    assert notes(file) == ()
