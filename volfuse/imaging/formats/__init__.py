"""How images lie in files: NIfTI through nibabel, DICOM through its own room, every other format through SimpleITK."""

from pathlib import Path

from volfuse.errors import FusionError
from volfuse.imaging.dicom import read_dicom
from volfuse.imaging.formats.itk import read_itk, write_itk
from volfuse.imaging.formats.nifti import NIFTI_SUFFIXES, read_nifti, write_nifti
from volfuse.imaging.stored import Reading, StoredImage
from volfuse.paths import check_source


def load(path: Path, reading: Reading | None = None) -> StoredImage:
    """Read a file, or a DICOM series in a folder.

    Raises:
        FusionError: if there is no such file or series, it cannot be read, or it is 4-D.
    """
    check_source(path)
    if path.is_dir():
        return read_dicom(path, reading or Reading())
    read = read_nifti if path.name.lower().endswith(NIFTI_SUFFIXES) else read_itk
    try:
        return read(path)
    except FusionError:
        raise
    except Exception as error:  # gzip, zlib, struct, nibabel and ITK each have their own
        raise FusionError(
            f"{path.name} could not be read as an image; it is damaged, incomplete or of an unknown format."
        ) from error


def save(image: StoredImage, path: Path, compress: bool) -> None:
    """Write a grey or RGB uint8 image; 2-D if its ``dimension`` is 2 and one axis has length 1.

    NIfTI is compressed if its name ends with ``.gz``; ``compress`` is for the other formats.
    """
    if path.name.lower().endswith(NIFTI_SUFFIXES):
        write_nifti(image, path)
    else:
        write_itk(image, path, compress)
