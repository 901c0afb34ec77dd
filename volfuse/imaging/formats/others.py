"""Files that are not read here: their formats by name, so that a refusal says what they are."""

from collections.abc import Mapping
from pathlib import Path

from volfuse.errors import FusionError
from volfuse.imaging.dicom.finding import DICOM_SUFFIXES, begins_as_dicom
from volfuse.imaging.formats.refusals import READABLE

_MAGIC: Mapping[bytes, str] = {
    b"\x89HDF": "an HDF5 file, such as MINC",
    b"CDF": "a NetCDF file, such as MINC",
    b"# vtk DataFile": "a VTK file",
    b"<VTKFile": "a VTK file",
    b"<?xml": "an XML file",
    b"# === DATA DESCRIPTION FILE": "a Philips PAR file",
    b"mrtrix image": "an MRtrix image",
    b"\0\0\0\x0cjP": "a JPEG 2000 picture",
    b"\xff\x4f\xff\x51": "a JPEG 2000 picture",
    b"\x28\xb5\x2f\xfd": "compressed by Zstandard",
    b"\xfd7zXZ": "compressed by xz",
    b"\x1f\x8b": "compressed by gzip, and damaged or of no format that is read so",
    b"BZh": "compressed by bzip2, and damaged or of no format that is read so",
    b"PK\x03\x04": "a ZIP archive",
    b"%PDF": "a PDF document",
    b"RIFF": "a RIFF file, such as WebP",
    b"TRACK": "a file of tracks",
    b"mrtrix tracks": "a file of tracks",
    b"\ntype ": "an AFNI header",
    b"MATRIX7": "an ECAT 7 file",
}


def is_dicom(path: Path, start: bytes) -> bool:
    """Tell whether a file is one of DICOM, from its beginning or its name."""
    return begins_as_dicom(start) or path.suffix.lower() in DICOM_SUFFIXES


def unknown(path: Path, start: bytes) -> FusionError:
    """Return the error for a file of any other format, which it names if it can; ``start`` is not unpacked."""
    for magic, format_name in _MAGIC.items():
        if start.startswith(magic):
            return FusionError(f"{path.name} is {format_name}; save it in one of these formats: {READABLE}.")
    return FusionError(
        f"{path.name} could not be read as an image; it is damaged, or in none of these formats: {READABLE}."
    )
