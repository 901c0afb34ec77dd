"""An image as a file holds it, and what the file says about it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Reading:
    """How the user wants a source to be read, where a file leaves a choice.

    Attributes:
        series: which DICOM series of a folder: its number in the list of ``volfuse info``, or its UID.
        rectify: resample slices that are sheared or unevenly spaced onto a regular grid, instead of refusing them.
        skip_damaged: leave out files of a series that cannot be read, instead of refusing it.
    """

    series: str | None = None
    rectify: bool = False
    skip_damaged: bool = False


@dataclass(frozen=True)
class About:
    """What a file says of its image besides voxels and affine. Empty text where it says nothing.

    Attributes:
        format: its name, such as ``"NIfTI"`` or ``"DICOM"``.
        modality: as DICOM abbreviates it: ``"MR"``, ``"CT"``, ``"PT"``, ...
        series: a description of the series.
        units: of the values, such as ``"HU"`` or ``"Bq/ml"``.
        frame_of_reference: a UID; images that share it share a coordinate system.
        suv: what a value is multiplied by to become a standardized uptake value (body weight, g/ml); ``None`` if
            that cannot be told.
        suv_reason: why not, as the end of a sentence.
        is_inverted: whether high values are shown dark, as in many radiographs (MONOCHROME1 of DICOM).
        notes: whatever was guessed, converted or left out; each a sentence for the user.
    """

    format: str = ""
    modality: str = ""
    series: str = ""
    units: str = ""
    frame_of_reference: str = ""
    suv: float | None = None
    suv_reason: str = ""
    is_inverted: bool = False
    notes: tuple[str, ...] = ()

    def to_meta(self) -> dict[str, Any]:
        """Return it as plain values, which MONAI's loaders can collate (they know no ``None``)."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any]) -> "About":
        """Return what :meth:`to_meta` made of it, from the ``meta`` of an image."""
        return cls(**meta.get("about", {}))


@dataclass(frozen=True)
class NiftiForms:
    """The position of an image in the words of a NIfTI header, which programs read differently.

    Nibabel takes the sform before the qform; ITK, and 3D Slicer with it, the qform unless the code of the sform is 1;
    nibabel passes over the unit of length. A result that repeats the words of its reference lies on it for all of them.

    Attributes:
        fields: name of a header field and its numbers.
        affine: what they were taken to mean, voxel index to RAS mm, row by row.
    """

    fields: Mapping[str, tuple[float, ...]]
    affine: tuple[float, ...]

    def to_meta(self) -> dict[str, Any]:
        """Return it as plain values, which MONAI's loaders can collate."""
        return {"fields": dict(self.fields), "affine": self.affine}

    @classmethod
    def from_meta(cls, meta: Mapping[str, Any]) -> "NiftiForms | None":
        """Return what :meth:`to_meta` made of it, from the ``meta`` of an image."""
        return cls(**meta["nifti_forms"]) if "nifti_forms" in meta else None


@dataclass(frozen=True)
class StoredImage:
    """An image as a file holds it.

    Attributes:
        voxels: (X, Y, Z) or (X, Y, Z, components), any type.
        affine: 4x4, voxel index to RAS mm.
        dimension: 2 for a picture (then Z = 1), else 3.
        is_label_map: whether the file says so itself.
        has_geometry: whether the format knows positions in space at all; pictures have none.
        about: what else the file says.
        forms: the position as a NIfTI file words it.
    """

    voxels: np.ndarray
    affine: np.ndarray
    dimension: int = 3
    is_label_map: bool = False
    has_geometry: bool = True
    about: About = field(default_factory=About)
    forms: NiftiForms | None = None
