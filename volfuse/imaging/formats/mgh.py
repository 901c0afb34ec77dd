"""MGH and MGZ of FreeSurfer; nibabel reads their header."""

from pathlib import Path

import nibabel
import numpy as np

from volfuse.imaging.formats.packed import Packed
from volfuse.imaging.formats.streams import beginning
from volfuse.imaging.formats.volume_file import VolumeFile
from volfuse.imaging.stored import About

_VERSION = b"\x00\x00\x00\x01"
_HAS_POSITION = slice(28, 30)  # goodRASFlag
_VOXELS_AT = 284
_MOST_TAGS = 1 << 20  # bytes of text and tables that may follow the voxels
_HEADER = nibabel.freesurfer.mghformat.MGHHeader


def is_mgh(path: Path, start: bytes) -> bool:
    """Tell whether a file, from its unpacked beginning and its name, is an MGH file."""
    return start.startswith(_VERSION) and path.name.lower().endswith((".mgh", ".mgz", ".mgh.gz"))


def open_mgh(path: Path) -> VolumeFile:
    """Read the header of a file.

    Raises:
        Exception: of many kinds, if its header is damaged.
    """
    start, packing = beginning(path, _VOXELS_AT)
    header = _HEADER(start, check=False)
    notes = []
    if not any(start[_HAS_POSITION]):
        notes.append(f"{path.name} does not say where it lies; it was placed as FreeSurfer places it.")
    shape = tuple(int(length) for length in header.get_data_shape())
    return VolumeFile(
        path,
        Packed(path, shape, header.get_data_dtype(), _VOXELS_AT, packing=packing, padding=_MOST_TAGS),
        np.asarray(header.get_affine(), float),
        about=About("MGH", notes=tuple(notes)),
    )
