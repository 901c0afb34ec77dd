"""How images lie in files: NIfTI through nibabel, every other format through SimpleITK.

ITK reads a truncated NIfTI file without an error and turns NaN in it into 0; nibabel does neither.
MONAI's ITKReader needs the ``itk`` wheels, which 3D Slicer does not carry; SimpleITK is part of Slicer.
"""

from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK as sitk
from nibabel.affines import voxel_sizes

from volfuse.errors import FusionError
from volfuse.paths import check_source

NIFTI_SUFFIXES = (".nii.gz", ".nii")
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
_RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
_NIFTI_LABEL_INTENT = 1002
_SLICE_POSITION = "0020|0032"  # DICOM ImagePositionPatient


@dataclass(frozen=True)
class StoredImage:
    """An image as a file holds it.

    Attributes:
        voxels: (X, Y, Z) or (X, Y, Z, components), any type.
        affine: 4x4, voxel index to RAS mm.
        dimension: 2 for a picture (then Z = 1), else 3.
        is_label_map: whether the file says so itself.
    """

    voxels: np.ndarray
    affine: np.ndarray
    dimension: int = 3
    is_label_map: bool = False


def load(path: Path) -> StoredImage:
    """Read a file, or the one DICOM series in a folder.

    Raises:
        FusionError: if there is no such file or series, it cannot be read, or it is 4-D.
    """
    check_source(path)
    if path.is_dir():
        return _from_itk(path, _read_series(path))
    unreadable = (
        f"{path.name} could not be read as an image; it is damaged, incomplete or of an unknown format."
    )
    if path.name.lower().endswith(NIFTI_SUFFIXES):
        try:
            return _read_nifti(path)
        except FusionError:
            raise
        except Exception as error:  # gzip, zlib, struct and nibabel each have their own
            raise FusionError(unreadable) from error
    try:
        return _from_itk(path, sitk.ReadImage(str(path)))
    except RuntimeError as error:
        raise FusionError(unreadable) from error


def save(image: StoredImage, path: Path, compress: bool) -> None:
    """Write a grey or RGB uint8 image; 2-D if its ``dimension`` is 2 and one axis has length 1.

    NIfTI is compressed if its name ends with ``.gz``; ``compress`` is for the other formats.
    """
    if path.name.lower().endswith(NIFTI_SUFFIXES):
        _write_nifti(image, path)
    else:
        sitk.WriteImage(to_itk(image), str(path), useCompression=compress)
        if image.voxels.ndim == 4 and path.suffix.lower() == ".nrrd":
            _declare_rgb(path)


def _read_nifti(path: Path) -> StoredImage:
    image = nibabel.load(path)
    if not isinstance(image, nibabel.Nifti1Image):
        raise TypeError(f"{path} holds no volume but a {type(image).__name__}")
    voxels = np.asanyarray(image.dataobj)
    dimension = 2 if voxels.ndim == 2 else 3
    space, others = (*voxels.shape, 1, 1)[:3], voxels.shape[3:]
    if others and others[0] > 1:
        raise _four_dimensional(path, others[0])
    if voxels.dtype.names == _RGB.names:
        voxels = np.ascontiguousarray(voxels).view(np.uint8).reshape(*space, 3)
    else:
        components = [length for length in others if length > 1]
        voxels = voxels.reshape(*space, *components)
    is_label_map = int(image.header["intent_code"]) == _NIFTI_LABEL_INTENT
    return StoredImage(voxels, image.affine.astype(float), dimension, is_label_map)


def _write_nifti(image: StoredImage, path: Path) -> None:
    voxels = image.voxels
    if voxels.ndim == 4:
        voxels = np.ascontiguousarray(voxels).view(_RGB)[..., 0]
    if image.dimension == 2:
        voxels = voxels[:, :, 0]
    nifti = nibabel.Nifti1Image(voxels, image.affine)
    nifti.set_qform(image.affine, code=1)
    nifti.set_sform(image.affine, code=1)
    nifti.header.set_xyzt_units("mm")
    nibabel.save(nifti, path)


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


def _from_itk(path: Path, image: sitk.Image) -> StoredImage:
    dimension = image.GetDimension()
    if dimension == 4:
        if image.GetSize()[3] > 1:
            raise _four_dimensional(path, image.GetSize()[3])
        image = image[..., 0]
    if dimension == 2:
        image = sitk.JoinSeries(image)
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    # ITK stores z, y, x; the transposed view is x, y, z.
    voxels = np.swapaxes(sitk.GetArrayFromImage(image), 0, 2)
    is_segmentation = any(key.startswith("Segment0_") for key in image.GetMetaDataKeys())
    return StoredImage(voxels, _LPS_TO_RAS @ affine, min(dimension, 3), is_segmentation)


def to_itk(image: StoredImage) -> sitk.Image:
    """Return a grey or RGB image as SimpleITK has it; 2-D if its ``dimension`` is 2 and one axis has length 1."""
    is_color = image.voxels.ndim == 4
    volume = sitk.GetImageFromArray(np.swapaxes(image.voxels, 0, 2), isVector=is_color)
    affine = _LPS_TO_RAS @ image.affine
    spacing = voxel_sizes(affine)
    volume.SetSpacing(spacing.tolist())
    volume.SetOrigin(affine[:3, 3].tolist())
    volume.SetDirection((affine[:3, :3] / spacing).ravel().tolist())
    if image.dimension == 3:
        return volume
    size = list(volume.GetSize())
    size[max(axis for axis in range(3) if size[axis] == 1)] = 0
    collapse = sitk.ExtractImageFilter.DIRECTIONCOLLAPSETOSUBMATRIX
    picture: sitk.Image = sitk.Extract(volume, size, [0, 0, 0], collapse)
    return picture


def _declare_rgb(path: Path) -> None:
    """SimpleITK has no RGB type and calls colour in NRRD a vector, which ITK does not read as colour."""
    header, blank, data = path.read_bytes().partition(b"\n\n")
    path.write_bytes(header.replace(b"kinds: vector", b"kinds: RGB-color") + blank + data)


def _four_dimensional(path: Path, volumes: int) -> FusionError:
    return FusionError(f"{path.name} is 4-D ({volumes} volumes in one file); save one of them on its own.")
