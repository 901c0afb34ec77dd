"""Images in memory are what their files are, and each mistake with one gets a sentence that says which."""

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
import torch
from monai.data import MetaTensor
from monai.transforms import LoadImage

from tests.conftest import grid, oblique
from volfuse import save
from volfuse.errors import FusionError
from volfuse.imaging import as_image, read_image
from volfuse.imaging.stored import About

SHAPE = (5, 6, 7)
AFFINE = oblique(grid(2.0, 3.0, 4.0, center=SHAPE))
VALUES = np.arange(210, dtype=np.int16).reshape(SHAPE) - 50


@pytest.fixture
def file(tmp_path: Path) -> Path:
    nibabel.save(nibabel.Nifti1Image(VALUES, AFFINE), tmp_path / "ct.nii.gz")
    return tmp_path / "ct.nii.gz"


HOLDERS: dict[str, Callable[[Path], object]] = {
    "path": lambda file: file,
    "text": str,
    "nibabel": nibabel.load,
    "SimpleITK": lambda file: sitk.ReadImage(str(file)),
    "MONAI, without a channel": LoadImage(),
    "MONAI, channel first": LoadImage(ensure_channel_first=True),
    "as it was read": read_image,
    "array and affine": lambda file: (VALUES, AFFINE),
    "tensor and affine": lambda file: (torch.from_numpy(VALUES), torch.from_numpy(AFFINE)),
    "backwards": lambda file: (VALUES[::-1].copy()[::-1], AFFINE.tolist()),
    "LPS": lambda file: MetaTensor(
        torch.from_numpy(VALUES), meta={"affine": np.diag([-1, -1, 1, 1]) @ AFFINE, "space": "LPS"}
    ),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_whatever_holds_an_image_gives_the_same(file: Path, holder: str) -> None:
    image = as_image(HOLDERS[holder](file))
    expected = read_image(file)
    np.testing.assert_array_equal(image.numpy(), expected.numpy())
    assert image.dtype == (
        torch.float32 if holder.startswith("MONAI") else torch.int16
    )  # as its loader has it
    torch.testing.assert_close(image.affine, expected.affine, rtol=0, atol=1e-5)
    assert (image.meta["has_geometry"], image.meta["dimension"]) == (True, 3)


def test_what_is_in_memory_keeps_its_type_and_what_is_known_about_it() -> None:
    assert as_image((VALUES, AFFINE)).meta["stored_dtype"] == "int16"
    bright = (VALUES - VALUES.min()).astype(np.uint8)
    again = as_image(as_image((bright, AFFINE)))
    assert (
        again.meta["stored_dtype"] == "uint8"
        and again.meta["filename_or_obj"] == "source 1 (an array of 5x6x7)"
    )
    known = MetaTensor(
        torch.from_numpy(VALUES), meta={"affine": AFFINE, "about": About("DICOM", "CT").to_meta()}
    )
    assert About.from_meta(as_image(known).meta) == About("DICOM", "CT")


def test_colour_comes_from_all_holders_alike() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (*SHAPE, 3), dtype=np.uint8)
    itk = sitk.GetImageFromArray(np.swapaxes(rgb, 0, 2), isVector=True)
    packed = rgb.view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
    first = as_image((rgb, np.eye(4)))
    assert first.shape == (3, *SHAPE)
    for other in (
        itk,
        nibabel.Nifti1Image(packed, np.eye(4)),
        MetaTensor(torch.from_numpy(rgb).movedim(-1, 0)),
        first,
    ):
        assert torch.equal(as_image(other).as_tensor(), first.as_tensor())


def test_nothing_is_written_into_what_was_given() -> None:
    values = VALUES.astype(np.float32)
    values.setflags(write=False)
    image = as_image((values, AFFINE))
    image += 1
    assert values[0, 0, 0] == -50


WRONG: dict[str, tuple[object, str]] = {
    "an array alone": (VALUES, "source 2 (an array of 5x6x7) has no position in space; give it with its affine: "
                               "(array, affine)."),
    "a tensor alone": (torch.from_numpy(VALUES), "source 2 (a tensor of 5x6x7) has no position in space; give it with "
                                                 "its affine: (tensor, affine)."),
    "channel first": ((VALUES[None], AFFINE), "source 2 (an array of 1x5x6x7) has its channels first; give "
                                              "(X, Y, Z), or (X, Y, Z, 3) for colour."),
    "4-D": ((np.stack([VALUES] * 4, -1), AFFINE), "source 2 (an array of 5x6x7x4) is 4-D; give (X, Y, Z), or "
                                                  "(X, Y, Z, 3) for colour."),
    "a slice": ((VALUES[0], AFFINE), "source 2 (an array of 6x7) is 2-D; give (X, Y, Z), or (X, Y, Z, 3) for colour."),
    "a rotation for an affine": ((VALUES, AFFINE[:3, :3]), "The affine of source 2 (an array of 5x6x7) is 3x3; it must "
                                 "be 4x4 with the last row 0, 0, 0, 1, from voxel index to RAS mm."),
    "no affine": ((VALUES, None), "The affine of source 2 (an array of 5x6x7) is no matrix; it must be 4x4 with the "
                                  "last row 0, 0, 0, 1, from voxel index to RAS mm."),
    "a transposed affine": ((VALUES, AFFINE.T), "The affine of source 2 (an array of 5x6x7) has the last row "
                            f"{AFFINE.T[3].tolist()}; it must be 4x4 with the last row 0, 0, 0, 1, from voxel index to "
                            "RAS mm."),
    "a flat affine": ((VALUES, np.diag([1.0, 1, 0, 1])), "source 2 (an array of 5x6x7) has no valid position in space "
                                                         "(its affine is singular); repair its header."),
    "NaN": ((np.where(VALUES == 3, np.nan, VALUES), AFFINE), "source 2 (an array of 5x6x7) holds 1 NaN or infinite "
            "voxels; replace them, for example by the background value."),
    "constant": ((VALUES * 0, AFFINE), "source 2 (an array of 5x6x7) has the value 0 everywhere; there is nothing to "
                                       "fuse."),
    "nothing": ((np.zeros((0, 3, 3)), AFFINE), "source 2 (an array of 0x3x3) holds no voxels; choose another image."),
    "words": ((np.array(["a"]), AFFINE), "source 2 (an array of 1) holds no numbers; give a path, a nibabel image, a "
              "SimpleITK image, a MetaTensor or a pair (array, affine) with the affine in RAS mm."),
    "a series of volumes": (nibabel.Nifti1Image(np.stack([VALUES] * 4, -1), AFFINE), "source 2 (a nibabel image of "
                            "5x6x7x4) is 4-D; give one volume of it, such as image.slicer[..., 0]."),
    "many channels": (MetaTensor(torch.zeros(4, 5, 6, 7)), "source 2 (a MetaTensor of 4x5x6x7) has 4 channels; give "
                                                           "1 or 3."),
    "a batch": (MetaTensor(torch.zeros(1, 1, 5, 6, 7)), "source 2 (a MetaTensor of 1x1x5x6x7) is no volume; its shape "
                "must be (1, X, Y, Z), or (3, X, Y, Z) for colour."),
    "something else": (7, "source 2 is of the type int; give a path, a nibabel image, a SimpleITK image, a MetaTensor "
                          "or a pair (array, affine) with the affine in RAS mm."),
}  # fmt: skip


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_is_told_with_the_source_it_is_in(mistake: str) -> None:
    source, sentence = WRONG[mistake]
    with pytest.raises(FusionError) as told:
        as_image(source, 2)
    assert str(told.value) == sentence


def test_save_writes_what_read_image_reads(tmp_path: Path) -> None:
    image = MetaTensor(torch.from_numpy(VALUES)[None], meta={"affine": AFFINE})
    for name in ("a.nii.gz", "a.nrrd"):
        read = read_image(save(image, tmp_path / name))
        assert torch.equal(read.as_tensor(), image.as_tensor().float())
        torch.testing.assert_close(read.affine, image.affine, rtol=0, atol=1e-5)
