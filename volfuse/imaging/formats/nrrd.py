"""NRRD, without its ways to name files in other places."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from volfuse.errors import FusionError
from volfuse.imaging.formats import nrrd_header
from volfuse.imaging.formats.packed import Packed
from volfuse.imaging.formats.refusals import damaged, elsewhere, four_dimensional, other_lengths
from volfuse.imaging.formats.streams import Packing, open_regular
from volfuse.imaging.formats.volume_file import VolumeFile, neighbour
from volfuse.imaging.stored import About

_MOST_HEADER = 1 << 20
_PACKINGS: dict[str, Packing] = {"raw": "", "gzip": "gzip", "gz": "gzip", "bzip2": "bzip2", "bz2": "bzip2"}
_VOLUME_KINDS = ("list", "time", "point")


def is_nrrd(start: bytes) -> bool:
    """Tell whether a file is one, from its beginning."""
    return start.startswith(b"NRRD000")


def open_nrrd(path: Path) -> VolumeFile:
    """Read the header of a file, or of a ``.nhdr`` whose voxels are in one file beside it.

    Raises:
        FusionError: if its header is damaged, or its voxels are in any other place.
        ValueError, KeyError: if a field is missing or not what it should be.
    """
    with open_regular(path) as file:
        start = file.read(_MOST_HEADER)
    end = re.search(rb"\r?\n\r?\n", start)
    header = start[: end.start()] if end else start
    fields, is_segmentation = nrrd_header.parse(header.decode("utf-8", "replace"))
    sizes = tuple(int(size) for size in fields["sizes"].split())
    encoding = fields["encoding"].lower()
    if encoding not in _PACKINGS:
        raise FusionError(f"{path.name} holds its voxels as {encoding}; save it with the encoding gzip.")
    dtype = np.dtype(nrrd_header.DTYPES[fields["type"].lower()])
    if dtype.itemsize > 1:
        dtype = np.dtype({"little": "<", "big": ">"}[fields["endian"].lower()] + dtype.str[1:])
    if any(unit not in ("mm", "") for unit in re.findall(r'"(.*?)"', fields.get("space units", ""))):
        raise other_lengths(path)
    axes = nrrd_header.spatial_axes(fields, len(sizes))
    affine, notes = nrrd_header.affine(fields, axes[:3], path.name)
    return VolumeFile(
        path,
        _packed(path, fields, end.end() if end else None, sizes, dtype, _PACKINGS[encoding]),
        affine,
        _components(path, fields, axes, sizes),
        2 if len(axes) == 2 else 3,
        is_segmentation,
        about=About("NRRD", notes=tuple(notes)),
    )


def _packed(
    path: Path,
    fields: dict[str, str],
    start: int | None,
    sizes: tuple[int, ...],
    dtype: np.dtype,
    packing: Packing,
) -> Packed:
    if fields.get("line skip", fields.get("lineskip", "0")) != "0":
        raise FusionError(
            f"{path.name} skips lines of text before its voxels; save it as a plain .nrrd file."
        )
    skip = int(fields.get("byte skip", fields.get("byteskip", "0")))
    data = fields.get("data file", fields.get("datafile"))
    voxels = path
    if data is not None:
        if path.suffix.lower() != ".nhdr":
            raise elsewhere(path)
        voxels, start = neighbour(path, [data]), 0
    elif start is None:
        raise damaged(path, "its header has no end")
    packed = Packed(voxels, sizes, dtype, max(skip, 0), start, packing, follow=data is None)
    if skip == -1 and not packing:  # the voxels are the end of the file
        return replace(packed, start=max(voxels.stat().st_size - packed.size, 0))
    return packed


def _components(path: Path, fields: dict[str, str], spatial: list[int], sizes: tuple[int, ...]) -> int | None:
    others = [axis for axis in range(len(sizes)) if axis not in spatial]
    kinds = fields.get("kinds", "").lower().split()
    for axis in others:
        if len(others) > 1 or (axis < len(kinds) and kinds[axis] in _VOLUME_KINDS and sizes[axis] > 1):
            raise four_dimensional(path, sizes[axis])
    return others[0] if others else None
