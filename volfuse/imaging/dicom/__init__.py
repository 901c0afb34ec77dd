"""DICOM in: find the objects, read all headers, tell volumes apart, choose one, then read its pixels."""

from pathlib import Path

from volfuse.imaging.dicom.series import SeriesSummary, choose, contents_of, list_series
from volfuse.imaging.dicom.volume import read_volume
from volfuse.imaging.stored import Reading, StoredImage


def read_dicom(path: Path, reading: Reading) -> StoredImage:
    """Read a volume from a DICOM file, a folder with its subfolders, or a DICOMDIR.

    Raises:
        FusionError: if there is none, one has to be chosen, or its files do not make up one.
    """
    contents = contents_of(path)
    return read_volume(contents, choose(contents, reading.series), reading)


__all__ = ["SeriesSummary", "list_series", "read_dicom"]
