"""NIfTI through nibabel: ITK reads a truncated file without an error and turns NaN in it into 0."""

from pathlib import Path

import nibabel
import numpy as np

from volfuse.imaging.formats.refusals import four_dimensional
from volfuse.imaging.stored import About, StoredImage

NIFTI_SUFFIXES = (".nii.gz", ".nii")
_RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
_LABEL_INTENT = 1002


def read_nifti(path: Path) -> StoredImage:
    """Read a NIfTI file.

    Raises:
        FusionError: if it is 4-D.
        Exception: of many kinds (gzip, zlib, struct, nibabel), if it is damaged.
    """
    image = nibabel.load(path)
    if not isinstance(image, nibabel.Nifti1Image):
        raise TypeError(f"{path} holds no volume but a {type(image).__name__}")
    voxels = np.asanyarray(image.dataobj)
    dimension = 2 if voxels.ndim == 2 else 3
    space, others = (*voxels.shape, 1, 1)[:3], voxels.shape[3:]
    if others and others[0] > 1:
        raise four_dimensional(path, others[0])
    if voxels.dtype.names == _RGB.names:
        voxels = np.ascontiguousarray(voxels).view(np.uint8).reshape(*space, 3)
    else:
        components = [length for length in others if length > 1]
        voxels = voxels.reshape(*space, *components)
    is_label_map = int(image.header["intent_code"]) == _LABEL_INTENT
    return StoredImage(voxels, image.affine.astype(float), dimension, is_label_map, About("NIfTI"))


def write_nifti(image: StoredImage, path: Path) -> None:
    """Write a grey or RGB uint8 image, compressed if the name ends with ``.gz``."""
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
