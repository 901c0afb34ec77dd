"""Where a NIfTI header says that its voxels lie, and what in it is guessed, converted or read in two ways."""

import itertools

import nibabel
import numpy as np

from volfuse.imaging.stored import NiftiForms

_FIELDS = (
    *("pixdim", "qform_code", "sform_code", "srow_x", "srow_y", "srow_z", "xyzt_units"),
    *("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"),
)
_LENGTHS = {1: (1000.0, "metres"), 3: (0.001, "micrometres")}
_UNIT_OF_LENGTH = 0b111  # the bits of it in xyzt_units
_PLAUSIBLE = (2.0, 4000.0)  # mm across: the organ of a mouse, a whole body
_SAME_PLACE = 0.05  # of a voxel; the quaternion of the qform is not more exact


def position(header: nibabel.Nifti1Header, name: str) -> tuple[np.ndarray, NiftiForms, list[str]]:
    """Return the affine in RAS mm, the fields that say so, and a sentence for whatever is not plain.

    The sform goes before the qform, as in nibabel, FSL and SPM. Where a file has neither, its place is the one that ITK
    gives it. https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h describes the three methods.

    Args:
        header: of NIfTI-1 or NIfTI-2.
        name: of the file, for the sentences.

    Raises:
        HeaderDataError: if the qform is needed and its quaternion is none.
    """
    shape = (*header.get_data_shape(), 1, 1)[:3]
    scale, unit = _LENGTHS.get(int(header["xyzt_units"]) & _UNIT_OF_LENGTH, (1.0, ""))
    notes = [f"{name} gives lengths in {unit}; they were converted to millimetres."] if unit else []
    has_sform, has_qform = (int(header[f"{form}_code"]) > 0 for form in ("sform", "qform"))
    if has_sform:
        affine = header.get_sform()
        notes += _doubts(header, shape, name, has_qform)
    elif has_qform:
        affine = header.get_qform()
    else:
        affine = np.diag([*np.array([-1, -1, 1]) * (*header.get_zooms(), 1, 1)[:3], 1.0])
        notes.append(
            f"{name} does not say where it lies; it was placed as ITK and 3D Slicer place it: from the origin to the "
            "left, the back and the head of the patient."
        )
    affine = np.diag([scale, scale, scale, 1.0]) @ affine
    across = max(np.linalg.norm(affine[:3, :3], axis=0) * shape)
    if not unit and not int(header["xyzt_units"]) & _UNIT_OF_LENGTH and np.isfinite(across):
        low, high = _PLAUSIBLE
        if not low <= across <= high:
            notes.append(
                f"{name} names no unit of length; millimetres were assumed, which make it {across:g} mm long."
            )
    fields = {field: tuple(np.atleast_1d(header[field]).astype(float).tolist()) for field in _FIELDS}
    return affine, NiftiForms(fields, tuple(affine.ravel().tolist())), notes


def is_sheared(affine: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Tell whether axes are so far from right angles that it moves a voxel of a grid of this ``shape``."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    if not spacing.all():
        return False
    axes = affine[:3, :3] / spacing
    skew = np.abs(axes.T @ axes - np.eye(3)).max()
    return bool(skew * max(spacing * shape[:3]) > _SAME_PLACE * min(spacing))


def _doubts(header: nibabel.Nifti1Header, shape: tuple[int, ...], name: str, has_qform: bool) -> list[str]:
    sform = header.get_sform()
    sheared = is_sheared(sform, shape)
    if not has_qform:
        if not sheared:
            return []
        return [
            f"The slices of {name} are sheared; ITK and 3D Slicer open no such NIfTI file, but a result that ends "
            "with .nrrd or .mha."
        ]
    try:
        apart = _distance(sform, header.get_qform(), shape)
    except nibabel.spatialimages.HeaderDataError:
        return [f"The qform of {name} is invalid and was passed over for its sform."]
    if not apart > _SAME_PLACE * np.linalg.norm(sform[:3, :3], axis=0).min():
        return []
    others = "" if int(header["sform_code"]) == 1 and not sheared else "; ITK and 3D Slicer take its qform"
    return [f"The sform and qform of {name} lie up to {apart:.3g} mm apart; its sform was taken{others}."]


def _distance(first: np.ndarray, second: np.ndarray, shape: tuple[int, ...]) -> float:
    """Return how far the farthest corner of a grid lies from itself, mm."""
    corners = np.array(list(itertools.product(*((0, length - 1) for length in shape))))
    return float(np.linalg.norm(nibabel.affines.apply_affine(first - second, corners), axis=1).max())
