"""DICOM in."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from volfuse.errors import FusionError
from volfuse.imaging.formats.itk import from_itk
from volfuse.imaging.stored import About, Reading, StoredImage

_SLICE_POSITION = "0020|0032"  # ImagePositionPatient


def read_dicom(path: Path, reading: Reading) -> StoredImage:
    """Read a series in a folder, or a DICOM file with all its frames."""
    del reading
    if not path.is_dir():
        return from_itk(path, sitk.ReadImage(str(path), imageIO="GDCMImageIO"), About("DICOM"))
    return from_itk(path, _read_series(path), About("DICOM"))


def _read_series(folder: Path) -> sitk.Image:
    reader = sitk.ImageSeriesReader()
    series = reader.GetGDCMSeriesIDs(str(folder))
    if len(series) != 1:
        found = f"{len(series)} DICOM series" if series else "no DICOM series"
        raise FusionError(f"The folder {folder.name} holds {found}; give a folder with exactly one.")
    names = reader.GetGDCMSeriesFileNames(str(folder), series[0])
    reader.SetFileNames(names)
    reader.MetaDataDictionaryArrayUpdateOn()
    try:
        image: sitk.Image = reader.Execute()
    except RuntimeError as error:
        raise FusionError(f"The DICOM series in {folder.name} is damaged or incomplete.") from error
    # ITK stacks whatever slices there are at their mean distance, with a warning at most.
    for number in range(len(names)):
        if reader.HasMetaDataKey(number, _SLICE_POSITION):
            position = [float(value) for value in reader.GetMetaData(number, _SLICE_POSITION).split("\\")]
            expected = image.TransformIndexToPhysicalPoint((0, 0, number))
            if np.linalg.norm(np.subtract(position, expected)) > 0.1 * min(image.GetSpacing()):
                raise FusionError(
                    f"The slices of the DICOM series in {folder.name} are not stacked evenly (slices are missing, "
                    "or the gantry was tilted); export all of them, or resample the series first."
                )
    return image
