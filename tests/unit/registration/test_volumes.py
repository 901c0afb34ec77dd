"""What does not need ANTs: alignment by landmarks, the grid of the result, and what is refused."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from monai.data import MetaTensor

from tests.conftest import grid, oblique, write_array
from volfuse.data.phantoms import grid_points, head_values
from volfuse.errors import FusionError
from volfuse.imaging.files import write_image
from volfuse.registration.volumes import register

REFERENCE_SHAPE, REFERENCE_AFFINE = (30, 36, 22), oblique(grid(5.0, 5.0, 7.0, center=(30, 36, 22)), 10)
# Another order of the axes, one of them stored backwards.
SECOND_SHAPE = (30, 34, 44)
SECOND_AFFINE = oblique(grid(7.5, 6.0, 4.0, center=SECOND_SHAPE), -25)[:, [1, 0, 2, 3]]
SECOND_AFFINE[:, 3] += 29 * SECOND_AFFINE[:, 1]
SECOND_AFFINE[:, 1] *= -1
SECOND_SHAPE = (34, 30, 44)
# How the patient lay in the second scan: RAS mm of the first to RAS mm of the second.
MOTION = oblique(np.eye(4), 17)
MOTION[:3, 3] = (14.0, -9.0, 21.0)


def write_scans(folder: Path, color: bool = False) -> tuple[Path, Path]:
    """Two scans of one head that moved, on unlike grids."""
    back = np.linalg.inv(MOTION)
    points = grid_points(SECOND_SHAPE, SECOND_AFFINE) @ back[:3, :3].T + back[:3, 3]
    voxels = {
        "reference": (head_values(grid_points(REFERENCE_SHAPE, REFERENCE_AFFINE), "mr", 1), REFERENCE_AFFINE),
        "second": (head_values(points, "mr", 1), SECOND_AFFINE),
    }
    paths = []
    for name, (values, affine) in voxels.items():
        levels = torch.from_numpy((values * 250).round().astype(np.uint8))[None]
        if color and name == "second":
            levels = torch.cat([levels, levels // 2, 250 - levels])
        image = MetaTensor(levels, affine=torch.from_numpy(affine))
        paths.append(write_image(image, folder / f"{name}.nii.gz"))
    return paths[0], paths[1]


@pytest.fixture
def landmarks(tmp_path: Path) -> tuple[Path, Path]:
    reference = np.array([[60.0, 0, 0], [-60, 10, 5], [0, 80, -10], [0, -5, 70]])
    second = reference @ MOTION[:3, :3].T + MOTION[:3, 3]
    files = []
    for name, points in (("reference", reference), ("second", second)):
        files.append(tmp_path / f"{name}.csv")
        files[-1].write_text("x,y,z\n" + "\n".join(",".join(map(str, point)) for point in points))
    return files[0], files[1]


def test_landmarks_put_a_volume_where_it_belongs(tmp_path: Path, landmarks: tuple[Path, Path]) -> None:
    done = register(*write_scans(tmp_path), landmarks=landmarks)
    expected = head_values(grid_points(REFERENCE_SHAPE, REFERENCE_AFFINE), "mr", 1) * 250
    assert done.image.shape == (1, *REFERENCE_SHAPE) and done.image.dtype == torch.uint8
    np.testing.assert_allclose(done.image.affine, REFERENCE_AFFINE, atol=1e-5)
    difference = np.abs(done.image.numpy()[0].astype(float) - expected)
    assert np.median(difference) < 3 and np.percentile(difference, 95) < 40  # what interpolation blurs
    assert done.landmark_error == pytest.approx(0, abs=1e-5)
    assert done.after.ncc > 0.98 and done.before.ncc < 0.9
    assert done.after.edges > 0.9 and done.before.edges < 0.6


def test_volumes_in_memory_are_registered_as_their_files_are(
    tmp_path: Path, landmarks: tuple[Path, Path]
) -> None:
    reference, second = write_scans(tmp_path)
    image = nibabel.load(second)
    done = register(
        sitk.ReadImage(str(reference)), (np.asarray(image.dataobj), image.affine), landmarks=landmarks
    )
    expected = register(reference, second, landmarks=landmarks).image
    assert (done.image.int() - expected.int()).abs().max() <= 1
    assert done.image.meta["filename_or_obj"] == "source 2 (an array of 34x30x44)"
    with pytest.raises(FusionError, match=r"^source 2 \(an array of 9x9x9\) has no position in space"):
        register(reference, np.zeros((9, 9, 9)), landmarks=landmarks)


def test_the_transform_maps_points_of_the_reference_to_the_second(
    tmp_path: Path, landmarks: tuple[Path, Path]
) -> None:
    transform = register(*write_scans(tmp_path), landmarks=landmarks).transform
    ras = np.array([20.0, -30.0, 40.0])
    expected = MOTION[:3, :3] @ ras + MOTION[:3, 3]
    np.testing.assert_allclose(
        transform.TransformPoint((-20.0, 30.0, 40.0)), expected * [-1, -1, 1], atol=1e-5
    )


def test_colour_is_registered_by_luminance_and_moved_channel_by_channel(
    tmp_path: Path, landmarks: tuple[Path, Path]
) -> None:
    done = register(*write_scans(tmp_path, color=True), landmarks=landmarks)
    red, green, blue = done.image.numpy().astype(float)
    assert done.image.shape == (3, *REFERENCE_SHAPE)
    inside = red > 0
    np.testing.assert_allclose(red[inside] / 2, green[inside], atol=1.5)
    np.testing.assert_allclose(red[inside] + blue[inside], 250, atol=1.5)


@pytest.mark.parametrize("dtype", ["int16", "uint16", "float32", "float64"])
def test_values_keep_their_range_and_the_outside_is_the_lowest(
    tmp_path: Path, landmarks: tuple[Path, Path], dtype: str
) -> None:
    reference, second = write_scans(tmp_path)
    image = sitk.ReadImage(str(second))
    offset = 0 if dtype == "uint16" else -1000
    values = (sitk.GetArrayFromImage(image).astype(float) * 8 + offset).astype(dtype)
    ct = sitk.GetImageFromArray(values)
    ct.CopyInformation(image)
    sitk.WriteImage(ct, str(tmp_path / "ct.nii.gz"))
    done = register(reference, tmp_path / "ct.nii.gz", landmarks=landmarks)
    found = done.image.numpy()
    assert found.dtype == (np.float32 if "float" in dtype else np.dtype(dtype))
    assert found.min() == offset and found.max() > offset + 1500
    file = write_image(done.image, tmp_path / "out.nii.gz")
    stored = sitk.ReadImage(str(file))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(stored).T, done.image.numpy()[0])


def test_what_cannot_be_registered_gets_one_sentence(tmp_path: Path, landmarks: tuple[Path, Path]) -> None:
    reference, second = write_scans(tmp_path)
    picture = write_array(tmp_path / "p.png", np.arange(600, dtype=np.uint8).reshape(20, 30))
    thin = write_array(tmp_path / "thin.nrrd", np.arange(2400, dtype=np.float32).reshape(4, 20, 30))
    dot = np.zeros((20, 20, 20), np.float32)
    dot[10, 10, 10] = 0.3
    flat = write_array(tmp_path / "flat.nrrd", np.full((20, 20, 20), 7, np.float32))
    several, text = tmp_path / "4d.nii.gz", tmp_path / "text.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.random.rand(9, 9, 9, 3), np.eye(4)), several)
    text.write_text("no image")
    cases = {
        r"^flat\.nrrd has the value 7 everywhere; there is nothing to fuse\.$": (reference, flat, None),
        r"^4d\.nii\.gz is 4-D \(3 volumes in one file\); save one of them on its own\.$": (reference, several, None),
        r"^text\.nii\.gz could not be read as an image; it is damaged, or in none of these formats: NIfTI, ": (
            text, second, None,
        ),
        r"^p\.png is a picture without a position in space; registration needs volumes\.$": (reference, picture, None),
        r"^thin\.nrrd has 30x20x4 voxels; registration needs a volume of at least 8 along each side\.$": (
            thin, second, None,
        ),
        r"^dot\.nrrd is almost everywhere 0; there is too little in it to register by\.$": (
            reference, write_array(tmp_path / "dot.nrrd", dot), None,
        ),
        r"^'warp' is no stage of a registration; use rigid, affine, syn\.$": (reference, second, ["rigid", "warp"]),
        r"^The stages of a registration run in the order rigid, affine, syn, each once\.$": (
            reference, second, ["affine", "rigid"],
        ),
    }  # fmt: skip
    for sentence, (first, second, stages) in cases.items():
        with pytest.raises(FusionError, match=sentence):
            register(first, second, stages)
