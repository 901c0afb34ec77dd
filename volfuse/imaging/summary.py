"""One look at an image: what a fusion would see of it."""

from dataclasses import dataclass

import nibabel
import numpy as np
from monai.data import MetaTensor
from nibabel.affines import obliquity, voxel_sizes

from volfuse.errors import FusionError
from volfuse.imaging.stored import About
from volfuse.imaging.windows import limits


@dataclass(frozen=True)
class Summary:
    """What is known of an image.

    Attributes:
        format: its name; empty if that is not known.
        modality: as DICOM abbreviates it; empty if that is not known.
        series: a description; empty if there is none.
        size: voxels along each axis.
        colour: whether it is an RGB image.
        dtype: the numpy name of the type its values are stored in.
        spacing: mm along each axis; ``None`` for a picture, which has no position in space.
        axes: where the axes point, such as ``"RAS"``; ``None`` for a picture.
        oblique: the largest angle between an axis and the anatomical direction nearest to it, degrees.
        units: of the values; empty if they are not known.
        lowest: the lowest value.
        highest: the highest value.
        window: the values that become black and white with the window ``auto``; ``None`` where it has no contrast.
        suv: what a value is multiplied by to become a standardized uptake value; ``None`` if that cannot be told.
        suv_reason: why not; empty if nobody would ask.
        frame_of_reference: a UID; empty if none is known.
        notes: what was guessed, converted or left out, in sentences.
    """

    format: str
    modality: str
    series: str
    size: tuple[int, ...]
    colour: bool
    dtype: str
    spacing: tuple[float, ...] | None
    axes: str | None
    oblique: float
    units: str
    lowest: float
    highest: float
    window: tuple[float, float] | None
    suv: float | None
    suv_reason: str
    frame_of_reference: str
    notes: tuple[str, ...]


def summarize(image: MetaTensor) -> Summary:
    """Return what is known of an image (1 or 3, X, Y, Z) with the metadata of ``read_image``."""
    about, meta, affine = About.from_meta(image.meta), image.meta, image.affine.numpy()
    placed = bool(meta["has_geometry"])
    try:
        window = limits(image, None)
    except FusionError:
        window = None
    return Summary(
        format=about.format,
        modality=about.modality,
        series=about.series,
        size=tuple(image.shape[1 : 1 + meta["dimension"]]),
        colour=image.shape[0] == 3,
        dtype=meta["stored_dtype"],
        spacing=tuple(voxel_sizes(affine).tolist()) if placed else None,
        axes="".join(nibabel.aff2axcodes(affine)) if placed else None,
        oblique=float(np.degrees(obliquity(affine).max())) if placed else 0.0,
        units=about.units,
        lowest=image.min().item(),
        highest=image.max().item(),
        window=window,
        suv=about.suv,
        suv_reason=about.suv_reason,
        frame_of_reference=about.frame_of_reference,
        notes=about.notes,
    )
