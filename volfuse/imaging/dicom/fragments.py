"""Compressed frames: where their fragments lie in a file, and GDCM, through SimpleITK, to decode them one by one.

GDCM decodes JPEG, lossless JPEG, JPEG-LS, JPEG 2000 and RLE, and SimpleITK carries it everywhere, also in 3D Slicer.
It would also rescale and reorder frames its own way, so it is given each frame in an object without anything else.
"""

import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import SimpleITK as sitk

from volfuse.imaging.dicom.instance import PixelFormat

_ITEM, _END = [0xFFFE, 0xE000], [0xFFFE, 0xE0DD]
_JPEG_STARTS = (b"\xff\xd8", b"\xff\x4f")  # JPEG and JPEG-LS; JPEG 2000
_CAPTURE = b"1.2.840.10008.5.1.4.1.1.7"  # Secondary Capture, which asks for the least

Fragment = tuple[int, int]
"""Where a fragment begins in a file, and its length."""


def frames_in_fragments(file: BinaryIO, pixels: PixelFormat) -> list[list[Fragment]]:
    """Return the fragments of every frame.

    Raises:
        ValueError: if the file ends before, or they cannot be told apart.
    """
    items = list(_items(file, pixels.offset))
    if not items:
        raise ValueError("there are no fragments")
    (table_at, table_length), *fragments = items
    if pixels.frames == 1:
        return [fragments]
    if len(fragments) == pixels.frames:
        return [[fragment] for fragment in fragments]
    file.seek(table_at)
    offsets = struct.unpack(f"<{table_length // 4}I", file.read(table_length // 4 * 4))
    first = table_at + table_length  # offsets count from the item after the table
    if len(offsets) == pixels.frames:
        begins = {first + offset + 8 for offset in offsets}
    else:
        begins = {at for at, length in fragments if _begins_a_frame(file, at, length)}
    frames: list[list[Fragment]] = []
    for fragment in fragments:
        if fragment[0] in begins:
            frames.append([])
        if not frames:
            raise ValueError("no frame begins where it should")
        frames[-1].append(fragment)
    if len(frames) != pixels.frames:
        raise ValueError(f"there are {len(frames)} frames where the header says {pixels.frames}")
    return frames


def _begins_a_frame(file: BinaryIO, at: int, length: int) -> bool:
    file.seek(at)
    return length >= 2 and file.read(2) in _JPEG_STARTS


def _items(file: BinaryIO, offset: int) -> Iterator[Fragment]:
    """Yield the table of offsets, and then all fragments."""
    size = file.seek(0, 2)
    while True:
        file.seek(offset)
        header = file.read(8)
        if len(header) < 8:
            raise ValueError("it ends within its pixels")
        *tag, length = struct.unpack("<HHI", header)
        if tag == _END:
            return
        if tag != _ITEM or offset + 8 + length > size:
            raise ValueError("it ends within its pixels")
        yield offset + 8, length
        offset += 8 + length


def decode(data: bytes, pixels: PixelFormat) -> np.ndarray:
    """Return a compressed frame as stored numbers, (rows, columns) or, in RGB, (rows, columns, 3).

    Raises:
        ValueError: if GDCM cannot decode it, or it has another size than the header says.
    """
    with tempfile.TemporaryDirectory(prefix="volfuse-") as folder:
        path = Path(folder, "frame.dcm")
        path.write_bytes(_object(data, pixels))
        reader = sitk.ImageFileReader()
        reader.SetImageIO("GDCMImageIO")
        reader.SetFileName(str(path))
        try:
            decoded: np.ndarray = sitk.GetArrayFromImage(reader.Execute())[0]
        except RuntimeError as error:
            raise ValueError("its compressed pixels cannot be decoded") from error
    if decoded.shape[:2] != (pixels.rows, pixels.columns):
        raise ValueError("its compressed pixels have another size than its header says")
    return decoded


def _object(data: bytes, pixels: PixelFormat) -> bytes:
    """Return a Secondary Capture object that holds one compressed frame and what it takes to decode it."""
    meta: list[tuple[int, int, str, bytes | int]] = [
        (0x0002, 0x0001, "OB", b"\0\1"),
        (0x0002, 0x0002, "UI", _CAPTURE),
        (0x0002, 0x0003, "UI", b"2.25.1"),
        (0x0002, 0x0010, "UI", pixels.syntax.encode()),
        (0x0002, 0x0012, "UI", b"2.25.2"),
    ]
    is_color = pixels.samples == 3
    body: list[tuple[int, int, str, bytes | int]] = [
        (0x0008, 0x0016, "UI", _CAPTURE),
        (0x0008, 0x0018, "UI", b"2.25.1"),
        (0x0008, 0x0060, "CS", b"OT"),
        (0x0028, 0x0002, "US", pixels.samples),
        (0x0028, 0x0004, "CS", (pixels.photometric if is_color else "MONOCHROME2").encode()),
        *([(0x0028, 0x0006, "US", int(pixels.is_planar))] if is_color else []),
        (0x0028, 0x0010, "US", pixels.rows),
        (0x0028, 0x0011, "US", pixels.columns),
        (0x0028, 0x0100, "US", pixels.bits_allocated),
        (0x0028, 0x0101, "US", pixels.bits_stored),
        (0x0028, 0x0102, "US", pixels.high_bit),
        (0x0028, 0x0103, "US", int(pixels.is_signed)),
    ]
    packed = b"".join(_element(*each) for each in meta)
    fragment = data + b"\0" * (len(data) % 2)
    return b"".join(
        [
            bytes(128) + b"DICM",
            _element(0x0002, 0x0000, "UL", struct.pack("<I", len(packed))),
            packed,
            *(_element(*each) for each in body),
            struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF),
            struct.pack("<HHI", *_ITEM, 0),
            struct.pack("<HHI", *_ITEM, len(fragment)) + fragment,
            struct.pack("<HHI", *_END, 0),
        ]
    )


def _element(group: int, element: int, kind: str, value: bytes | int) -> bytes:
    """Return an element in explicit little endian; text is padded to an even length."""
    data = struct.pack("<H", value) if isinstance(value, int) else value
    data += (b"\0" if kind in ("UI", "OB") else b" ") * (len(data) % 2)
    start = struct.pack("<HH2s", group, element, kind.encode())
    return start + struct.pack("<HI" if kind == "OB" else "<H", *([0] * (kind == "OB")), len(data)) + data
