"""MetaImage, after https://itk.org/Wiki/ITK/MetaIO/Documentation, without its ways to name files in other places.

A header of lines ``name = value`` ends with ``ElementDataFile``; with ``LOCAL`` the voxels come after it.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from volfuse.errors import FusionError
from volfuse.imaging.formats.packed import Packed
from volfuse.imaging.formats.refusals import damaged, elsewhere, other_lengths
from volfuse.imaging.formats.streams import open_regular
from volfuse.imaging.formats.volume_file import VolumeFile, neighbour
from volfuse.imaging.stored import About

_MOST_HEADER = 1 << 20
_BEGINNING = re.compile(rb"\s*(ObjectType|NDims|Comment|AnatomicalOrientation|DimSize)\s*=")
_LAST = re.compile(rb"^[ \t]*ElementDataFile[ \t]*=[ \t]*([^\r\n]*?)[ \t]*(\r?\n|\Z)", re.MULTILINE)
_DTYPES: Mapping[str, str] = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def is_metaimage(start: bytes) -> bool:
    """Tell whether a file is one, from its beginning."""
    return _BEGINNING.match(start) is not None


def open_metaimage(path: Path) -> VolumeFile:
    """Read the header of a file, or of a ``.mhd`` whose voxels are in one file beside it.

    Raises:
        FusionError: if its header is damaged, or its voxels are in any other place.
        ValueError, KeyError: if a field is missing or not what it should be.
    """
    with open_regular(path) as file:
        start = file.read(_MOST_HEADER)
    last = _LAST.search(start)
    if last is None:
        raise damaged(path, "its header has no end")
    lines = (line.partition("=") for line in start[: last.start()].decode("utf-8", "replace").splitlines())
    fields = {name.strip(): value.strip() for name, _, value in lines}
    if fields.get("ObjectType", "Image") != "Image":
        raise FusionError(f"{path.name} holds no image but a {fields['ObjectType']}.")
    if fields.get("DistanceUnits", "mm") not in ("mm", "?"):
        raise other_lengths(path)
    sizes = tuple(int(size) for size in fields["DimSize"].split())
    if len(sizes) != int(fields["NDims"]):
        raise damaged(path, "its header is damaged")
    affine, notes = _affine(fields, len(sizes), path.name)
    channels = int(fields.get("ElementNumberOfChannels", "1"))
    return VolumeFile(
        path,
        _packed(path, fields, last, (channels, *sizes)),
        affine,
        0,
        2 if len(sizes) == 2 else 3,
        about=About("MetaImage", notes=tuple(notes)),
    )


def _packed(path: Path, fields: dict[str, str], last: re.Match[bytes], shape: tuple[int, ...]) -> Packed:
    if not _is_true(fields, "BinaryData", "True"):
        raise FusionError(f"{path.name} holds its voxels as text; save it with BinaryData = True.")
    big = _is_true(fields, "ElementByteOrderMSB") or _is_true(fields, "BinaryDataByteOrderMSB")
    dtype = np.dtype(_DTYPES[fields["ElementType"].removesuffix("_ARRAY")]).newbyteorder(">" if big else "<")
    data = last[1].decode("utf-8", "replace")
    voxels, start = path, last.end()
    if data not in ("LOCAL", "Local", "local"):
        if path.suffix.lower() != ".mhd":
            raise elsewhere(path)
        voxels, start = neighbour(path, [data]), 0
    packed = Packed(
        voxels,
        shape,
        dtype,
        start=start,
        packing="zlib" if _is_true(fields, "CompressedData") else "",
        follow=voxels is path,
    )
    skip = int(fields.get("HeaderSize", "0"))
    if skip == -1:  # the voxels are the end of the file
        return replace(packed, start=max(voxels.stat().st_size - packed.size, 0))
    return replace(packed, start=start + skip)


def _affine(fields: dict[str, str], dimension: int, name: str) -> tuple[np.ndarray, list[str]]:
    def numbers(*names: str, default: np.ndarray) -> np.ndarray:
        text = next((fields[each] for each in names if each in fields), None)
        return default if text is None else np.array([float(number) for number in text.split()])

    spatial = min(dimension, 3)
    axes = numbers("TransformMatrix", "Rotation", "Orientation", default=np.eye(dimension).ravel())
    spacing = numbers("ElementSpacing", "ElementSize", default=np.ones(dimension))
    affine = np.eye(4)
    axes = axes.reshape(dimension, dimension).T[:spatial, :spatial]
    affine[:spatial, :spatial] = axes * spacing[:spatial]
    affine[:spatial, 3] = numbers("Offset", "Position", "Origin", default=np.zeros(dimension))[:spatial]
    is_placed = any(each in fields for each in ("Offset", "Position", "Origin", "TransformMatrix"))
    guess = f"{name} does not say where it lies; it was placed as ITK and 3D Slicer place it."
    return _LPS_TO_RAS @ affine, [] if is_placed else [guess]


def _is_true(fields: dict[str, str], name: str, default: str = "False") -> bool:
    return fields.get(name, default)[:1] in ("T", "t", "1")
