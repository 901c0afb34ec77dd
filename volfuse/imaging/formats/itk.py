"""Images of SimpleITK, and what it writes: NRRD, MetaImage and pictures.

It reads no file from outside: it chooses its reader by what a file holds, follows headers to other files, and takes
what headers declare on trust.
"""

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from nibabel.affines import voxel_sizes

from volfuse.imaging.formats.refusals import four_dimensional
from volfuse.imaging.stored import About, StoredImage

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def write_itk(image: StoredImage, path: Path, compress: bool) -> None:
    """Write a grey or RGB uint8 image; 2-D if its ``dimension`` is 2 and one axis has length 1."""
    sitk.WriteImage(to_itk(image), str(path), useCompression=compress)
    if image.voxels.ndim == 4 and path.suffix.lower() == ".nrrd":
        _declare_rgb(path)


def from_itk(path: Path, image: sitk.Image, about: About | None = None) -> StoredImage:
    """Return what SimpleITK holds as a stored image; ``path`` is for messages."""
    dimension = image.GetDimension()
    if dimension == 4:
        if image.GetSize()[3] > 1:
            raise four_dimensional(path, image.GetSize()[3])
        image = image[..., 0]
    if dimension == 2:
        image = sitk.JoinSeries(image)
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    # ITK stores z, y, x; the transposed view is x, y, z.
    voxels = np.swapaxes(sitk.GetArrayFromImage(image), 0, 2)
    is_segmentation = any(key.startswith("Segment0_") for key in image.GetMetaDataKeys())
    return StoredImage(
        voxels, LPS_TO_RAS @ affine, min(dimension, 3), is_segmentation, about=about or About()
    )


def to_itk(image: StoredImage) -> sitk.Image:
    """Return a grey or RGB image as SimpleITK has it; 2-D if its ``dimension`` is 2 and one axis has length 1."""
    is_color = image.voxels.ndim == 4
    volume = sitk.GetImageFromArray(np.swapaxes(image.voxels, 0, 2), isVector=is_color)
    affine = LPS_TO_RAS @ image.affine
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
