"""NIfTI and Analyze: nibabel reads their headers and writes; ITK reads a truncated file without an error."""

import io
import logging
from pathlib import Path

import nibabel
import numpy as np

from volfuse.errors import FusionError
from volfuse.imaging.formats.nifti_position import is_sheared, position
from volfuse.imaging.formats.packed import Packed
from volfuse.imaging.formats.refusals import damaged, elsewhere
from volfuse.imaging.formats.streams import beginning
from volfuse.imaging.formats.volume_file import VolumeFile, neighbour
from volfuse.imaging.stored import About, StoredImage

NIFTI_SUFFIXES = (".nii.gz", ".nii")
_PAIR = {".hdr": ".img", ".img": ".hdr"}
_ANALYZE = nibabel.Spm99AnalyzeHeader
_SINGLE_MAGIC = (b"n+1", b"n+2")
_LABEL_INTENTS = (1002, 1003)  # a label, a name of a region of the brain
_CIFTI_INTENTS = range(3000, 3100)
_VECTOR_AXIS = 4  # the fifth dimension, where NIfTI keeps the components of a voxel
_RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])

_logger = logging.getLogger(__name__)
_logger.addHandler(logging.NullHandler())  # what nibabel repairs in a header is nothing to print


def is_nifti(path: Path, start: bytes) -> bool:
    """Tell whether a file, from its unpacked beginning, is a NIfTI file or one of a pair of Analyze or NIfTI."""
    return _is_pair(path) or (_kind(start) is not None and _kind(start) is not _ANALYZE)


def open_nifti(path: Path) -> VolumeFile:
    """Read the header of a file, or of a pair ``.hdr`` and ``.img`` when one of the two is named.

    Raises:
        FusionError: if its header is damaged, or its voxels are in a file that is not beside it.
        HeaderDataError: for fields that nibabel does not take.
    """
    file = path if not _is_pair(path) or ".hdr" in path.name.lower() else _other_of_pair(path)
    start, packing = beginning(file, nibabel.Nifti2Header.template_dtype.itemsize)
    kind = _kind(start)
    if kind is None:
        raise damaged(path, "its header is damaged or incomplete")
    header = kind.from_fileobj(io.BytesIO(start), check=False)
    header.check_fix(_logger)
    voxels = file
    if kind is _ANALYZE or header["magic"].item() not in _SINGLE_MAGIC:
        if not _is_pair(path):
            raise elsewhere(path)
        voxels = _other_of_pair(file)
        _, packing = beginning(voxels, 4)
    if kind is not _ANALYZE and int(header["intent_code"]) in _CIFTI_INTENTS:
        raise FusionError(f"{path.name} is a CIFTI file, which holds no image; choose an image.")
    slope, intercept = header.get_slope_inter()
    offset, is_analyze = header.get_data_offset(), kind is _ANALYZE
    if is_analyze:
        header = nibabel.Nifti1Header.from_header(header, check=False)
        header.set_xyzt_units("mm")
    affine, forms, notes = position(header, path.name)
    shape, dtype = header.get_data_shape(), header.get_data_dtype()
    dimension = 2 if len(shape) == 2 else 3
    components = _VECTOR_AXIS if len(shape) > _VECTOR_AXIS and shape[3] == 1 else None
    if dtype.names:  # colour: one byte after the other, before all axes, and never scaled
        shape, dtype, components = (len(dtype.names), *shape), np.dtype(np.uint8), 0
        slope = intercept = None
    return VolumeFile(
        path,
        Packed(voxels, shape, dtype, offset, packing=packing, follow=voxels is path),
        affine,
        components,
        dimension,
        is_label_map=int(header["intent_code"]) in _LABEL_INTENTS,
        slope=1.0 if slope is None else float(slope),
        intercept=0.0 if intercept is None else float(intercept),
        about=About("Analyze" if is_analyze else "NIfTI", notes=tuple(notes)),
        forms=forms,
    )


def write_nifti(image: StoredImage, path: Path) -> None:
    """Write a grey or RGB uint8 image, compressed if the name ends with ``.gz``.

    It repeats what its reference said of its position, so that it lies on it for every program, whichever of the
    two forms of NIfTI that program takes.

    Raises:
        FusionError: if it is sheared and no NIfTI file was: programs would see it in different places.
    """
    voxels = image.voxels
    if voxels.ndim == 4:
        if voxels.strides[-1] != 1:
            voxels = np.ascontiguousarray(voxels)
        voxels = voxels.view(_RGB)[..., 0]
    if image.dimension == 2:
        voxels = voxels[:, :, 0]
    nifti = nibabel.Nifti1Image(voxels, None)
    if image.forms is not None and np.allclose(image.affine.ravel(), image.forms.affine, rtol=0, atol=1e-6):
        for field, numbers in image.forms.fields.items():
            nifti.header[field] = np.reshape(numbers, nifti.header[field].shape)
    elif is_sheared(image.affine, image.voxels.shape):
        raise FusionError(
            "The slices of the result are sheared, and programs disagree on where such a NIfTI file lies; "
            "end the output with .nrrd or .mha."
        )
    else:
        nifti.set_qform(image.affine, code=1)
        nifti.set_sform(image.affine, code=1)
        nifti.header.set_xyzt_units("mm")
    nibabel.save(nifti, path)


def _kind(start: bytes) -> type[nibabel.AnalyzeHeader] | None:
    kinds = (nibabel.Nifti1Header, nibabel.Nifti2Header, _ANALYZE)
    return next((kind for kind in kinds if kind.may_contain_header(start)), None)


def _is_pair(path: Path) -> bool:
    return path.name.lower().removesuffix(".gz").endswith(tuple(_PAIR))


def _other_of_pair(path: Path) -> Path:
    """Return the header of voxels, or the voxels of a header."""
    name = path.name.lower().removesuffix(".gz")
    stem, other = path.name[: len(name) - 4], _PAIR[name[-4:]]
    return neighbour(path, [stem + suffix for suffix in (other, f"{other}.gz", other.upper())])
