"""Files that point to other files, that are no regular files, and that are of other formats."""

import gzip
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from tests.conftest import write_array
from volfuse.errors import FusionError
from volfuse.imaging import read_image
from volfuse.imaging.formats import declared_size
from volfuse.label.cases import SUFFIXES as SUFFIXES_OF_THE_SERVER

SECRET = bytes(range(240)) * 2
VOXELS = np.frombuffer(SECRET, "<i2").reshape(6, 5, 8)
NRRD = "NRRD0004\ntype: short\ndimension: 3\nsizes: 8 5 6\nendian: little\nencoding: raw\ndata file: {}\n\n"
MHA = "ObjectType = Image\nNDims = 3\nDimSize = 8 5 6\nElementType = MET_SHORT\nElementDataFile = {}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file of voxels, and beside it another with a secret."""
    folder = tmp_path / "studies"
    folder.mkdir()
    (folder / "voxels.raw").write_bytes(SECRET)
    (tmp_path / "secret").write_bytes(SECRET)
    (folder / "link.raw").symlink_to(tmp_path / "secret")
    os.mkfifo(folder / "pipe.raw")
    return folder


@pytest.mark.parametrize(("name", "header"), [("mr.nhdr", NRRD), ("mr.mhd", MHA)])
def test_a_header_may_have_its_voxels_beside_it(folder: Path, name: str, header: str) -> None:
    (folder / name).write_text(header.format("voxels.raw"))
    np.testing.assert_array_equal(read_image(folder / name)[0].numpy(), VOXELS.T)


ELSEWHERE = "{} keeps its voxels in another file; save the image as one file, such as .nii.gz or .nrrd."
DATA_FILES = {
    "../secret": ELSEWHERE,
    "/dev/stdin": ELSEWHERE,
    "/etc/passwd": ELSEWHERE,
    "..\\secret": ELSEWHERE,
    "LIST": "{} keeps its voxels in LIST, which is not beside it.",
    "slice%03d.raw 1 6 1": "{} keeps its voxels in slice%03d.raw 1 6 1, which is not beside it.",
    "missing.raw": "{} keeps its voxels in missing.raw, which is not beside it.",
    "link.raw": "link.raw could not be read as an image: it is no regular file.",
    "pipe.raw": "pipe.raw could not be read as an image: it is no regular file.",
    ".": ELSEWHERE,
}


@pytest.mark.parametrize("data_file", DATA_FILES)
@pytest.mark.parametrize(("name", "header"), [("mr.nhdr", NRRD), ("mr.mhd", MHA)])
def test_a_header_may_have_them_nowhere_else(folder: Path, name: str, header: str, data_file: str) -> None:
    (folder / name).write_text(header.format(data_file))
    for look in (read_image, declared_size):
        with pytest.raises(FusionError) as caught:
            look(folder / name)
        assert str(caught.value) == DATA_FILES[data_file].format(name)


@pytest.mark.parametrize("data_file", ["voxels.raw", *DATA_FILES])
@pytest.mark.parametrize(
    ("name", "header"), [("mr.nrrd", NRRD), ("mr.mha", MHA), ("mr.png", NRRD), ("mr.nii", MHA), ("mr", NRRD)]
)
def test_a_file_of_any_other_name_is_all_there_is(
    folder: Path, name: str, header: str, data_file: str
) -> None:
    (folder / name).write_text(header.format(data_file))
    with pytest.raises(FusionError) as caught:
        read_image(folder / name)
    assert str(caught.value) == ELSEWHERE.format(name)


def test_a_nifti_header_of_a_pair_needs_the_name_of_one(folder: Path) -> None:
    nibabel.save(nibabel.Nifti1Pair(VOXELS, np.eye(4)), folder / "mr.img")
    (folder / "mr.hdr").rename(folder / "mr.nii")
    with pytest.raises(FusionError) as caught:
        read_image(folder / "mr.nii")
    assert str(caught.value) == ELSEWHERE.format("mr.nii")


def test_the_voxels_of_a_pair_are_no_link(folder: Path) -> None:
    nibabel.save(nibabel.Nifti1Pair(VOXELS, np.eye(4)), folder / "mr.img")
    (folder / "mr.img").rename(folder.parent / "elsewhere.img")
    (folder / "mr.img").symlink_to(folder.parent / "elsewhere.img")
    with pytest.raises(FusionError, match="^mr.img could not be read as an image: it is no regular file"):
        read_image(folder / "mr.hdr")


def test_the_server_takes_no_name_that_may_have_a_second_file() -> None:
    assert not set(SUFFIXES_OF_THE_SERVER) & {".nhdr", ".mhd", ".hdr", ".img"}


@pytest.mark.parametrize("name", ["mr.nii.gz", "mr.nrrd", "mr.dcm", "mr.png"])
def test_what_is_no_regular_file_is_not_opened(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    refused = []

    def read() -> None:
        with pytest.raises(
            FusionError, match=f"^{name} could not be read as an image: it is no regular file.$"
        ):
            read_image(tmp_path / name)
        refused.append(name)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(5)
    assert refused == [name]


def test_a_device_and_a_socket_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket may be short only
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("mr.nrrd")
        for path in (Path("mr.nrrd"), Path("/dev/zero")):
            with pytest.raises(FusionError, match="it is no regular file"):
                read_image(path)


def vtk(path: Path) -> None:
    image = sitk.GetImageFromArray(VOXELS)
    sitk.WriteImage(image, str(path), imageIO="VTKImageIO")


OTHERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "mr.vtk": (vtk, "a VTK file"),
    "mr.nii.zst": (lambda path: path.write_bytes(b"\x28\xb5\x2f\xfd" + SECRET), "compressed by Zstandard"),
    "mr.mnc": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + SECRET), "an HDF5 file, such as MINC"),
    "mr.vti": (lambda path: path.write_text('<?xml version="1.0"?><VTKFile/>'), "an XML file"),
    "mr.nrrd.gz": (
        lambda path: path.write_bytes(gzip.compress(b"NRRD0004\n" + SECRET)),
        "compressed by gzip, and damaged or of no format that is read so",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_formats_are_refused_by_name(tmp_path: Path, name: str) -> None:
    make, what = OTHERS[name]
    make(tmp_path / name)
    with pytest.raises(FusionError) as caught:
        read_image(tmp_path / name)
    assert str(caught.value) == (
        f"{name} is {what}; save it in one of these formats: NIfTI, Analyze, MGH, NRRD, MetaImage, DICOM, PNG, TIFF, "
        "JPEG, BMP and GIF."
    )


def test_a_name_does_not_choose_the_reader(tmp_path: Path) -> None:
    """ITK would take its reader by content or by name, whichever comes first."""
    write_array(tmp_path / "mr.mha", VOXELS).rename(tmp_path / "mr.png")
    np.testing.assert_array_equal(read_image(tmp_path / "mr.png")[0].numpy(), VOXELS.T)
    assert read_image(tmp_path / "mr.png").meta["has_geometry"]
