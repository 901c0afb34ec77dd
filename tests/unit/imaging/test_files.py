from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from monai.data import MetaTensor

from tests.conftest import grid, oblique, write_array
from tests.files import write_series
from volfuse.errors import FusionError
from volfuse.imaging import read_image, write_image

AFFINE = oblique(grid(0.7, 0.9, 3.0, center=(5, 6, 7)))


def image(channels: int, shape: tuple[int, ...] = (5, 6, 7), **meta: object) -> MetaTensor:
    voxels = torch.randint(0, 256, (channels, *shape), dtype=torch.uint8)
    return MetaTensor(voxels, meta={"affine": torch.from_numpy(AFFINE), **meta})


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_volumes_survive_the_round_trip(tmp_path: Path, suffix: str, channels: int) -> None:
    written = image(channels)
    read = read_image(write_image(written, tmp_path / f"volume{suffix}"))
    assert torch.equal(read.as_tensor(), written.as_tensor())
    np.testing.assert_allclose(read.affine, AFFINE, atol=1e-5)
    assert read.meta["stored_dtype"] == "uint8"


@pytest.mark.parametrize(
    ("suffix", "declaration"),
    [(".nii", b"\x80\x00\x18\x00"), (".nrrd", b"kinds: RGB-color"), (".mha", b"ElementNumberOfChannels = 3")],
)
def test_colour_is_declared_as_rgb(tmp_path: Path, suffix: str, declaration: bytes) -> None:
    """NIfTI datatype 128 of 24 bits, NRRD kind and MetaImage channels are what ITK takes for RGB pixels."""
    assert declaration in write_image(image(3), tmp_path / f"volume{suffix}").read_bytes()[:600]


@pytest.mark.parametrize("suffix", [".nii.gz", ".nii"])
def test_geometry_agrees_with_nibabel(tmp_path: Path, suffix: str) -> None:
    values = np.random.default_rng(0).normal(size=(4, 5, 6)).astype("f")
    nibabel.save(nibabel.Nifti1Image(values, AFFINE), tmp_path / f"v{suffix}")
    read = read_image(tmp_path / f"v{suffix}")
    np.testing.assert_array_equal(read[0].numpy(), values)
    np.testing.assert_allclose(read.affine, AFFINE, atol=1e-5)


@pytest.mark.parametrize("stored", ["|u1", "<i2", ">i2", "<u2", "<i4", "<f4", ">f4", "<f8"])
def test_small_integers_stay_and_all_else_becomes_float(tmp_path: Path, stored: str) -> None:
    values = np.random.default_rng(0).integers(0, 200, (4, 5, 6)).astype(stored)
    nibabel.save(nibabel.Nifti1Image(values, AFFINE, dtype=values.dtype), tmp_path / "v.nii")
    read = read_image(tmp_path / "v.nii")
    np.testing.assert_array_equal(read[0].numpy(), values)
    kept = {"|u1": torch.uint8, "<i2": torch.int16, ">i2": torch.int16}
    assert read.dtype == kept.get(stored, torch.float32)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_pictures_survive_the_round_trip(tmp_path: Path, suffix: str, channels: int) -> None:
    written = image(channels, (5, 6, 1))
    read = read_image(write_image(written, tmp_path / f"picture{suffix}"))
    assert read.meta["dimension"] == 2 and not read.meta["has_geometry"]
    assert torch.equal(read.as_tensor(), written.as_tensor())


@pytest.mark.parametrize("channels", [1, 3])
def test_a_plane_with_a_position_in_space_survives_the_round_trip(tmp_path: Path, channels: int) -> None:
    written = image(channels, (5, 6, 1))
    written.meta["dimension"] = 2
    read = read_image(write_image(written, tmp_path / "plane.nii.gz"))
    assert read.meta["dimension"] == 2 and read.meta["has_geometry"]
    assert torch.equal(read.as_tensor(), written.as_tensor())


def test_an_alpha_channel_is_dropped(tmp_path: Path) -> None:
    stored = np.random.default_rng(0).integers(0, 256, (6, 5, 4), dtype=np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(stored, isVector=True), str(tmp_path / "rgba.png"))
    read = read_image(tmp_path / "rgba.png")
    np.testing.assert_array_equal(read[:, :, :, 0].permute(2, 1, 0), stored[..., :3])
    assert read.meta["about"]["notes"] == ("rgba.png has transparent voxels; they are read as opaque.",)


def test_a_dicom_series_is_one_volume(tmp_path: Path) -> None:
    volume = np.random.default_rng(0).integers(-1000, 1000, (4, 6, 5)).astype(np.int16)
    write_series(tmp_path / "ct", volume, series="1.2.3.4")
    read = read_image(tmp_path / "ct")
    np.testing.assert_array_equal(read[0].numpy(), volume.transpose(2, 1, 0))
    np.testing.assert_allclose(np.diag(read.affine), [-0.8, -0.9, 2.5, 1])


def gradient(dtype: str, shape: tuple[int, ...] = (6, 5, 4)) -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def with_nan(path: Path) -> None:
    values = gradient("float32")
    values[0, 0, :2] = np.nan, np.inf
    write_array(path, values)


def as_label_map(path: Path) -> None:
    image = nibabel.Nifti1Image(gradient("int16"), np.eye(4))
    image.header.set_intent("label")
    nibabel.save(image, path)


def save_4d(path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(gradient("float32", (3, 4, 5, 6)), np.eye(4)), path)


def truncated(path: Path) -> None:
    write_array(path, np.random.default_rng(0).normal(size=(20, 20, 20)).astype("f"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def truncated_picture(path: Path) -> None:
    write_array(path, np.random.default_rng(0).integers(0, 256, (60, 60), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def without_position(path: Path) -> None:
    header = nibabel.Nifti1Header()
    header.set_sform(np.diag([1.0, 0.0, 1.0, 1.0]), code=1)
    nibabel.save(nibabel.Nifti1Image(gradient("float32"), None, header), path)


UNREADABLE = {
    "complex.nii.gz": (
        lambda path: nibabel.save(nibabel.Nifti1Image(gradient("complex64"), np.eye(4)), path),
        "^complex.nii.gz holds complex numbers; save their magnitude",
    ),
    "nowhere.nii.gz": (
        without_position,
        r"^nowhere.nii.gz has no valid position in space \(its affine is singular\)",
    ),
    "missing.nii.gz": (lambda path: None, "does not exist; check the path."),
    "text.nii.gz": (lambda path: path.write_text("no image"), "could not be read as an image"),
    "cut.nii": (truncated, "could not be read as an image"),
    "cut.nii.gz": (truncated, "could not be read as an image"),
    "cut.nrrd": (truncated, "could not be read as an image"),
    "cut.mha": (truncated, "could not be read as an image"),
    "cut.png": (truncated_picture, "could not be read as an image"),
    "empty": (lambda path: path.mkdir(), "^The folder empty holds no DICOM series; choose another.$"),
    "nan.nii.gz": (with_nan, "^nan.nii.gz holds 2 NaN or infinite voxels; replace them"),
    "flat.nrrd": (
        lambda path: write_array(path, np.full((3, 3, 3), 7.0)),
        "^flat.nrrd has the value 7 everywhere",
    ),
    "4d.nii.gz": (save_4d, "^4d.nii.gz is 4-D"),
    "label.nii.gz": (as_label_map, "^label.nii.gz is a label map; choose an image.$"),
    "labels.nrrd": (lambda path: write_array(path, gradient("float32") // 30), "has only 4 different values"),
    "mask.nii.gz": (lambda path: write_array(path, gradient("uint8") // 60), "has only 2 different values"),
    "field.nrrd": (
        lambda path: sitk.WriteImage(
            sitk.GetImageFromArray(gradient("float32", (3, 4, 5, 3)), True), str(path)
        ),
        "^field.nrrd has 3 components of type float32 per voxel",
    ),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_no_image_is_refused_in_one_sentence(tmp_path: Path, name: str) -> None:
    make, message = UNREADABLE[name]
    make(tmp_path / name)
    with pytest.raises(FusionError, match=message) as caught:
        read_image(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_an_integer_image_with_few_grey_levels_in_places_is_no_label_map(tmp_path: Path) -> None:
    mostly_black = np.zeros((40, 40, 40), np.uint8)
    mostly_black[20, 20, :20] = np.arange(20)
    assert read_image(write_array(tmp_path / "dark.nrrd", mostly_black)).max() == 19


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    target = tmp_path / "fused.nii.gz"
    target.mkdir()  # a folder in the way makes the final rename fail
    with pytest.raises(FusionError, match="could not be written"):
        write_image(image(1), target)
    assert list(tmp_path.iterdir()) == [target]


def test_a_volume_does_not_fit_a_picture(tmp_path: Path) -> None:
    with pytest.raises(
        FusionError, match=r"^a.png can hold one slice, but the fused volume has 7; choose .nii.gz"
    ):
        write_image(image(1), tmp_path / "a.png")
    assert not list(tmp_path.iterdir())
