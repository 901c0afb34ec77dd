"""What a header declares is believed only as far as the file can hold it, and before memory is taken."""

import bz2
import gzip
import tracemalloc
import zlib
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from tests.conftest import write_array
from volfuse.errors import FusionError
from volfuse.imaging import read_image, write_image
from volfuse.imaging.formats import declared_size, load

VOXELS = np.random.default_rng(0).integers(0, 1000, (6, 7, 8)).astype(np.int16)
NRRD = "NRRD0004\ntype: short\ndimension: 3\nsizes: {} {} {}\nendian: little\nencoding: {}\n\n"
MHA = (
    "ObjectType = Image\nNDims = 3\nDimSize = {} {} {}\nElementType = MET_SHORT\nCompressedData = {}\n"
    "ElementDataFile = LOCAL\n"
)
HUGE = (2000, 2000, 2000)


def nifti(shape: tuple[int, ...], content: bytes) -> bytes:
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.int16)
    header.set_data_shape(shape)
    header["vox_offset"], header["magic"], header["sform_code"] = 352, b"n+1", 1
    header["srow_x"][0] = header["srow_y"][1] = header["srow_z"][2] = 1
    return header.binaryblock + bytes(4) + content


def mgh(shape: tuple[int, ...], content: bytes) -> bytes:
    numbers = np.array([1, *shape, 1, 4, 0], ">i4").tobytes()
    return numbers + bytes(284 - len(numbers)) + content


def wrapped(name: str, shape: tuple[int, ...], content: bytes) -> bytes:
    """Return a file that declares a ``shape`` and holds some ``content``."""
    return {
        "mr.nii": lambda: nifti(shape, content),
        "mr.nii.gz": lambda: gzip.compress(nifti(shape, content)),
        "mr.nii.bz2": lambda: bz2.compress(nifti(shape, content)),
        "mr.mgh": lambda: mgh(shape, content),
        "mr.mgz": lambda: gzip.compress(mgh(shape, content)),
        "raw.nrrd": lambda: NRRD.format(*shape, "raw").encode() + content,
        "gzip.nrrd": lambda: NRRD.format(*shape, "gzip").encode() + gzip.compress(content),
        "bzip2.nrrd": lambda: NRRD.format(*shape, "bzip2").encode() + bz2.compress(content),
        "raw.mha": lambda: MHA.format(*shape, False).encode() + content,
        "zlib.mha": lambda: MHA.format(*shape, True).encode() + zlib.compress(content),
    }[name]()


FILES = ["mr.nii", "mr.nii.gz", "mr.nii.bz2", "mr.mgh", "mr.mgz"]
FILES += ["raw.nrrd", "gzip.nrrd", "bzip2.nrrd", "raw.mha", "zlib.mha"]
ENDIAN = {"mr.mgh": ">i2", "mr.mgz": ">i2"}


@pytest.mark.parametrize("name", FILES)
def test_what_is_declared_is_told_without_reading(tmp_path: Path, name: str) -> None:
    content = VOXELS.astype(ENDIAN.get(name, "<i2")).tobytes(order="F")
    (tmp_path / name).write_bytes(wrapped(name, VOXELS.shape, content))
    declared = declared_size(tmp_path / name)
    assert (declared.shape, declared.bytes) == ((6, 7, 8), 672)
    np.testing.assert_array_equal(load(tmp_path / name).voxels, VOXELS)


@pytest.mark.parametrize("name", FILES)
def test_a_header_that_declares_more_than_the_file_can_hold_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(wrapped(name, HUGE, bytes(10_000)))
    for look in (declared_size, read_image):
        with pytest.raises(FusionError) as caught:
            look(tmp_path / name)
        if "bz" in name:  # bzip2 codes 46 MB of one value in 40 bytes: it is seen when the end is reached
            continue
        assert str(caught.value) == (
            f"{name} could not be read as an image: its header declares 16000000000 bytes of voxels, more than it "
            "can hold."
        )


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_ends_too_early_is_refused(tmp_path: Path, name: str) -> None:
    content = np.random.default_rng(0).bytes(20 * 20 * 20)  # half of what is declared
    (tmp_path / name).write_bytes(wrapped(name, (20, 20, 20), content))
    with pytest.raises(FusionError, match="(it ends before its last voxel|more than it can hold).$"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("name", [name for name in FILES if "mg" not in name])  # MGH has tags at its end
def test_a_file_that_goes_on_after_its_last_voxel_is_refused(tmp_path: Path, name: str) -> None:
    """A bomb behind a small header is left alone as soon as it is seen."""
    (tmp_path / name).write_bytes(wrapped(name, (4, 5, 6), bytes(50_000_000)))
    with pytest.raises(FusionError) as caught:
        read_image(tmp_path / name)
    assert str(caught.value) == (
        f"{name} could not be read as an image: its header declares 240 bytes of voxels, but it holds more."
    )


@pytest.mark.parametrize("name", ["mr.nii.gz", "bzip2.nrrd", "gzip.nrrd", "zlib.mha", "mr.mgz"])
def test_a_flipped_bit_in_what_is_compressed_is_seen(tmp_path: Path, name: str) -> None:
    """By its checksum, which stands after the last voxel."""
    content = bytearray(wrapped(name, (20, 20, 20), np.random.default_rng(0).bytes(16_000)))
    content[-500] ^= 4
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FusionError) as caught:
        read_image(tmp_path / name)
    assert str(caught.value) == (
        f"{name} could not be read as an image: what is compressed in it is damaged or incomplete."
    )


@pytest.mark.parametrize("shape", [(0, 5, 6), (-4, 5, 6)])
def test_a_volume_without_voxels_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    (tmp_path / "mr.nrrd").write_bytes(wrapped("raw.nrrd", shape, bytes(100)))
    with pytest.raises(FusionError, match=f"its header declares {shape[0]} x 5 x 6 voxels.$"):
        read_image(tmp_path / "mr.nrrd")


def test_reading_takes_no_more_memory_than_was_declared(tmp_path: Path) -> None:
    """A small file of zeros, as a hostile client sends it: 64 MiB once, and not twice over what is declared."""
    (tmp_path / "zeros.nii.gz").write_bytes(wrapped("mr.nii.gz", (256, 256, 512), bytes(2 * 256 * 256 * 512)))
    assert (tmp_path / "zeros.nii.gz").stat().st_size < 100_000
    tracemalloc.start()
    load(tmp_path / "zeros.nii.gz")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.3 * (64 << 20)


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "gif"])
def test_a_picture_that_declares_more_than_it_can_hold_is_refused(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"a.{suffix}"
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(file)
    content = file.read_bytes()
    if suffix == "png":
        header = b"IHDR" + np.array([9000, 9000], ">u4").tobytes() + content[24:29]
        content = content[:12] + header + np.array([zlib.crc32(header)], ">u4").tobytes() + content[33:]
    elif suffix == "bmp":
        content = content[:18] + np.array([9000, 9000], "<i4").tobytes() + content[26:]
    elif suffix == "gif":
        content = content[:6] + np.array([9000, 9000], "<u2").tobytes() + content[10:]
    else:
        for tag in (256, 257):
            at = content.index(np.array([tag], "<u2").tobytes() + b"\4\0")
            content = content[: at + 8] + np.array([9000], "<u4").tobytes() + content[at + 12 :]
    file.write_bytes(content)
    declared = 3 * 9000 * 9000 if suffix == "gif" else 9000 * 9000  # the palette of a GIF may hold colours
    for look in (declared_size, read_image):
        with pytest.raises(FusionError) as caught:
            look(file)
        assert str(caught.value) == (
            f"a.{suffix} could not be read as an image: its header declares {declared} bytes of pixels, more "
            "than it can hold."
        )


def test_a_picture_of_too_many_pixels_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((1, 1), bool)).resize((20_000, 10_000)).save(tmp_path / "a.png")
    with pytest.raises(FusionError, match=r"^a.png has more than 178 million pixels; crop it, or save it"):
        read_image(tmp_path / "a.png")


def test_a_picture_declares_its_size(tmp_path: Path) -> None:
    write_array(tmp_path / "a.png", np.arange(30, dtype=np.uint16).reshape(6, 5))
    declared = declared_size(tmp_path / "a.png")
    assert (declared.format, declared.shape, declared.dtype, declared.bytes) == ("PNG", (5, 6, 1), "u2", 60)


def test_a_folder_declares_nothing(tmp_path: Path) -> None:
    with pytest.raises(FusionError, match="it is no regular file"):
        declared_size(tmp_path)


def test_a_refused_file_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "mr.nii.gz").write_bytes(wrapped("mr.nii.gz", HUGE, bytes(100)))
    with pytest.raises(FusionError):
        write_image(read_image(tmp_path / "mr.nii.gz"), tmp_path / "copy.nii.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["mr.nii.gz"]
