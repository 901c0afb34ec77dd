"""Our readers of NRRD and MetaImage against ITK's."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from tests.conftest import oblique
from volfuse.errors import FusionError
from volfuse.imaging.formats import load
from volfuse.imaging.formats.itk import from_itk
from volfuse.imaging.stored import StoredImage

VOXELS = np.random.default_rng(0).integers(0, 1000, (6, 5, 4))
DIRECTION = oblique(np.diag([1.0, -1.0, 1.0, 1.0]), 30)[:3, :3]
NRRD = "NRRD0004\ntype: short\ndimension: 3\nsizes: 4 5 6\nencoding: raw\nendian: little\n"
SPACE = "space directions: (2,0.5,0) (0,3,0) (0,0,4)\nspace origin: (10,20,30)\n"
MHA = "ObjectType = Image\nNDims = 3\nDimSize = 4 5 6\nElementType = MET_SHORT\n"


def as_itk_reads(path: Path) -> StoredImage:
    return from_itk(path, sitk.ReadImage(str(path)))


def assert_same(path: Path) -> None:
    read, expected = load(path), as_itk_reads(path)
    np.testing.assert_array_equal(read.voxels, expected.voxels)
    np.testing.assert_allclose(read.affine, expected.affine, atol=1e-9)
    assert (read.dimension, read.is_label_map) == (expected.dimension, expected.is_label_map)


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_every_type_of_number(tmp_path: Path, suffix: str, compress: bool, dtype: str) -> None:
    image = sitk.GetImageFromArray(VOXELS.astype(dtype))
    image.SetSpacing((1.5, 2.0, 2.5))
    image.SetOrigin((-4.0, 5.0, 6.0))
    image.SetDirection(DIRECTION.ravel().tolist())
    sitk.WriteImage(image, str(tmp_path / f"mr{suffix}"), useCompression=compress)
    assert_same(tmp_path / f"mr{suffix}")


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
@pytest.mark.parametrize(
    "image",
    [
        sitk.GetImageFromArray(VOXELS[0].astype("u2")),
        sitk.GetImageFromArray(VOXELS[..., :3].astype("u1"), isVector=True),
        sitk.GetImageFromArray(VOXELS[None, ..., :3].astype("u1").repeat(2, 0), isVector=True),
        sitk.GetImageFromArray(VOXELS[None].astype("i2")),
    ],
    ids=["plane", "plane of colour", "colour", "four axes"],
)
def test_other_shapes(tmp_path: Path, suffix: str, image: sitk.Image) -> None:
    sitk.WriteImage(image, str(tmp_path / f"mr{suffix}"))
    assert_same(tmp_path / f"mr{suffix}")


NRRDS = {
    "no position": "",
    "spacings": "spacings: 2 3 4\n",
    "minima of cells": "spacings: 2 3 4\naxis mins: 10 20 30\ncenterings: cell cell cell\n",
    "minima of nodes": "spacings: 2 3 4\naxis mins: 10 20 30\ncenterings: node node node\n",
    **{
        space: f"space: {space}\n{SPACE}"
        for space in ("left-posterior-superior", "RAS", "left-anterior-superior", "scanner-xyz")
    },
    "no name of a space": f"space dimension: 3\n{SPACE}",
    "comments and keys": f"# a comment: no field\nspace: LPS\n{SPACE}modality:=MR: T1\nkinds: domain domain domain\n",
    "segmentation": f"space: LPS\n{SPACE}Segment0_ID:=1\n",
}


@pytest.mark.parametrize("kind", NRRDS)
def test_headers_of_nrrd(tmp_path: Path, kind: str) -> None:
    content = VOXELS.astype("<i2").tobytes()
    (tmp_path / "mr.nrrd").write_bytes((NRRD + NRRDS[kind] + "\n").encode() + content)
    assert_same(tmp_path / "mr.nrrd")
    (tmp_path / "crlf.nrrd").write_bytes((NRRD + NRRDS[kind] + "\n").replace("\n", "\r\n").encode() + content)
    assert_same(tmp_path / "crlf.nrrd")


@pytest.mark.parametrize("big", [False, True])
def test_headers_of_metaimage(tmp_path: Path, big: bool) -> None:
    header = f"{MHA}ElementByteOrderMSB = {big}\nElementSpacing = 2 3 4\nPosition = 1 2 3\nElementDataFile = LOCAL\n"
    (tmp_path / "mr.mha").write_bytes(header.encode() + VOXELS.astype(">i2" if big else "<i2").tobytes())
    assert_same(tmp_path / "mr.mha")


def test_voxels_at_the_end_of_another_file(tmp_path: Path) -> None:
    (tmp_path / "mr.raw").write_bytes(b"any header" + VOXELS.astype("<i2").tobytes())
    (tmp_path / "mr.nhdr").write_text(f"{NRRD}byte skip: -1\ndata file: mr.raw\n")
    (tmp_path / "mr.mhd").write_text(f"{MHA}HeaderSize = -1\nElementDataFile = mr.raw\n")
    for name in ("mr.nhdr", "mr.mhd"):
        assert_same(tmp_path / name)


REFUSED = {
    "text.nrrd": (
        NRRD.replace("raw", "ascii") + "\n",
        "text.nrrd holds its voxels as ascii; save it with the encoding gzip.",
    ),
    "lines.nrrd": (
        NRRD + "line skip: 3\n\n",
        "lines.nrrd skips lines of text before its voxels; save it as a plain .nrrd file.",
    ),
    "micron.nrrd": (
        f'{NRRD}space: LPS\nspace units: "um" "um" "um"\n{SPACE}\n',
        "micron.nrrd gives lengths in another unit than millimetres; save it in millimetres.",
    ),
    "times.nrrd": (
        NRRD.replace("dimension: 3\nsizes: 4", "dimension: 4\nsizes: 7 4")
        + "kinds: list domain domain domain\n\n",
        "times.nrrd is 4-D (7 volumes in one file); save one of them on its own.",
    ),
    "open.nrrd": (NRRD, "open.nrrd could not be read as an image: its header has no end."),
    "text.mha": (
        f"{MHA}BinaryData = False\nElementDataFile = LOCAL\n",
        "text.mha holds its voxels as text; save it with BinaryData = True.",
    ),
    "micron.mha": (
        f"{MHA}DistanceUnits = um\nElementDataFile = LOCAL\n",
        "micron.mha gives lengths in another unit than millimetres; save it in millimetres.",
    ),
    "tube.mha": (
        f"{MHA}ElementDataFile = LOCAL\n".replace("Image", "Tube"),
        "tube.mha holds no image but a Tube.",
    ),
    "open.mha": (MHA, "open.mha could not be read as an image: its header has no end."),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_read_is_named(tmp_path: Path, name: str) -> None:
    header, message = REFUSED[name]
    (tmp_path / name).write_bytes(header.encode() + VOXELS.astype("<i2").tobytes())
    with pytest.raises(FusionError) as caught:
        load(tmp_path / name)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("name", "header"),
    [("mr.nrrd", f"{NRRD}\n"), ("mr.mha", f"{MHA}ElementDataFile = LOCAL\n")],
)
def test_a_place_that_is_guessed_is_said(tmp_path: Path, name: str, header: str) -> None:
    (tmp_path / name).write_bytes(header.encode() + VOXELS.astype("<i2").tobytes())
    (note,) = load(tmp_path / name).about.notes
    assert note.startswith(f"{name} does not say ") and "as ITK and 3D Slicer" in note
