"""Files of one image in, and what is written out.

The format is what a file begins with, not what it is called. A name counts only where a file may have its voxels in a
second one: ``.nhdr``, ``.mhd``, ``.hdr`` and ``.img``, and then the second must be an ordinary file beside the first.
Whoever takes none of these suffixes reads nothing but the file that is named.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from volfuse.errors import FusionError
from volfuse.imaging.dicom import read_dicom
from volfuse.imaging.formats.declared import Declared
from volfuse.imaging.formats.itk import write_itk
from volfuse.imaging.formats.metaimage import is_metaimage, open_metaimage
from volfuse.imaging.formats.mgh import is_mgh, open_mgh
from volfuse.imaging.formats.nifti import NIFTI_SUFFIXES, is_nifti, open_nifti, write_nifti
from volfuse.imaging.formats.nrrd import is_nrrd, open_nrrd
from volfuse.imaging.formats.others import is_dicom, unknown
from volfuse.imaging.formats.pictures import declared_picture, is_picture, read_picture
from volfuse.imaging.formats.streams import beginning, open_regular
from volfuse.imaging.formats.volume_file import VolumeFile
from volfuse.imaging.stored import Reading, StoredImage
from volfuse.paths import check_source

__all__ = ["Declared", "declared_size", "load", "save"]

_BEGINNING = 1024  # bytes, by which formats are told apart


def load(path: Path, reading: Reading | None = None) -> StoredImage:
    """Read a file, or a DICOM series in a folder.

    Raises:
        FusionError: if there is no such file or series, or it cannot be read.
    """
    check_source(path)
    if path.is_dir():
        return read_dicom(path, reading or Reading())
    with _one_sentence(path):
        start = _raw_beginning(path)
        if is_dicom(path, start):
            return read_dicom(path, reading or Reading())
        if is_picture(start):
            return read_picture(path)
        return _open_volume(path, start).read()


def declared_size(path: Path) -> Declared:
    """Return what a file says of its size, checked against the bytes it has, without reading its voxels.

    Args:
        path: a file of any format but DICOM.

    Raises:
        FusionError: if it cannot be read, is a folder or DICOM, or declares more than it can hold.
    """
    check_source(path)
    with _one_sentence(path):
        start = _raw_beginning(path)
        if is_dicom(path, start):
            raise FusionError(
                f"{path.name} is a DICOM file, of which the size is not known before it is read."
            )
        if is_picture(start):
            return declared_picture(path)
        return _open_volume(path, start).declared()


def save(image: StoredImage, path: Path, compress: bool) -> None:
    """Write a grey or RGB uint8 image; 2-D if its ``dimension`` is 2 and one axis has length 1.

    NIfTI is compressed if its name ends with ``.gz``; ``compress`` is for the other formats.
    """
    if path.name.lower().endswith(NIFTI_SUFFIXES):
        write_nifti(image, path)
    else:
        write_itk(image, path, compress)


def _raw_beginning(path: Path) -> bytes:
    with open_regular(path) as file:
        return file.read(_BEGINNING)


def _open_volume(path: Path, start: bytes) -> VolumeFile:
    if is_nrrd(start):
        return open_nrrd(path)
    if is_metaimage(start):
        return open_metaimage(path)
    unpacked, _ = beginning(path, _BEGINNING)
    if is_mgh(path, unpacked):
        return open_mgh(path)
    if is_nifti(path, unpacked):
        return open_nifti(path)
    raise unknown(path, start)


@contextmanager
def _one_sentence(path: Path) -> Iterator[None]:
    try:
        yield
    except (FusionError, MemoryError):
        raise
    except Exception as error:  # struct, nibabel, Pillow and fields that are not what they should be
        raise FusionError(
            f"{path.name} could not be read as an image; it is damaged, incomplete or of an unknown format."
        ) from error
