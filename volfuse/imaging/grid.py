"""One grid for all sources: anatomical slices, resampling onto the reference, and the way back.

Source 0 is the reference. Everything is first turned so that slices lie along the last axis and look as a
radiologist reads them, whatever the storage order of the file; a flipped or permuted file therefore gives
the same fused image.
"""

import logging
from collections.abc import Hashable, Mapping
from typing import Any

import nibabel
import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform, Orientation, ResampleToMatch
from torch import Tensor

from volfuse.choices import Plane
from volfuse.errors import FusionError
from volfuse.imaging.files import source_name

# Rows, columns and slices as the image is read: axial slices from above the feet, patient's right at the left.
PLANES: Mapping[Plane, str] = {"axial": "PLS", "coronal": "ILP", "sagittal": "IPL"}

_logger = logging.getLogger(__name__)


class OrientSlicesd(MapTransform):
    """Turn volumes so that axes are rows, columns and slices of an anatomical plane.

    Args:
        keys: the sources, each (C, X, Y, Z) with an affine; they become (C, H, W, D).
        plane: a key of ``PLANES``; the storage axis nearest to it is taken.

    Raises:
        FusionError: for another plane.
    """

    def __init__(self, keys: KeysCollection, plane: Plane = "axial") -> None:
        super().__init__(keys)
        if plane not in PLANES:
            raise FusionError(f"'{plane}' is no slice plane; use {', '.join(PLANES)}.")
        self.orient = Orientation(PLANES[plane], labels=None)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        return dict(data) | {key: self.orient(data[key]) for key in self.key_iterator(data)}


class MatchReferenced(MapTransform):
    """Resample every source onto the grid of the first, linearly; 0 where it has no voxels.

    Sources come windowed (see ``ApplyWindowsd``), so 0 is black. A source on the same grid keeps its voxels.

    Raises:
        FusionError: if two images do not overlap, or have different sizes and no position in space.
    """

    def __init__(self, keys: KeysCollection) -> None:
        super().__init__(keys)
        self.resample = ResampleToMatch(mode="bilinear", padding_mode="zeros", dtype=np.float32)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        reference = result[self.keys[0]]
        for key in self.keys[1:]:
            result[key] = self._match(result[key], reference)
        return result

    def _match(self, source: MetaTensor, reference: MetaTensor) -> Tensor:
        same_size = source.shape[1:] == reference.shape[1:]
        both_placed = source.meta["has_geometry"] and reference.meta["has_geometry"]
        if not both_placed and not same_size:
            raise FusionError(
                f"{source_name(source)} and {source_name(reference)} have different sizes and at least one of "
                "them has no position in space; give images of one size, or files with geometry."
            )
        if same_size and (not both_placed or _same_grid(source.affine, reference.affine)):
            return source
        overlap = overlap_fraction(source, reference)
        # A thin source can slip between the samples of a large reference, and the other way round.
        if overlap == 0 and overlap_fraction(reference, source) == 0:
            raise FusionError(
                f"{source_name(source)} and {source_name(reference)} do not overlap in space; "
                "they need to be registered first."
            )
        _logger.info(
            "%s is resampled onto %s and covers %.0f %% of it",
            source_name(source),
            source_name(reference),
            100 * overlap,
        )
        return self.resample(source, reference)


class RestoreGridd(MapTransform):
    """Turn the fused image back to the storage order of the reference, with exactly its affine."""

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(data):
            affine = torch.as_tensor(np.asarray(result[key].meta["original_affine"]), dtype=torch.float64)
            axis_codes = "".join(nibabel.aff2axcodes(affine.numpy()))
            result[key] = Orientation(axis_codes, labels=None)(result[key])
            result[key].affine = affine
        return result


def overlap_fraction(source: MetaTensor, reference: MetaTensor) -> float:
    """Return the part of the reference grid (C, H, W, D) that lies inside ``source``, 0..1, from 40³ samples."""
    axes = [torch.linspace(0, size - 1, min(size, 40), dtype=torch.float64) for size in reference.shape[1:]]
    points = torch.stack([*torch.meshgrid(*axes, indexing="ij"), torch.ones([len(axis) for axis in axes])])
    to_source = torch.linalg.inv(source.affine) @ reference.affine
    index = (to_source @ points.flatten(1))[:3]
    last = torch.tensor(source.shape[1:], dtype=torch.float64)[:, None] - 0.5
    inside = ((index >= -0.5) & (index <= last)).all(0)
    return float(inside.double().mean())


def _same_grid(affine: Tensor, other: Tensor) -> bool:
    """Tell whether two grids of one size agree to a thousandth of a voxel."""
    spacing = affine[:3, :3].norm(dim=0).min()
    return bool((affine - other).abs().max() < 1e-3 * spacing)
