"""One grid for all sources: anatomical slices, resampling onto the reference, and the way back.

Source 0 is the reference. Everything is first turned so that slices lie along the last axis and look as a
radiologist reads them, whatever the storage order of the file; a flipped or permuted file therefore gives
the same fused image.
"""

from collections.abc import Hashable, Mapping
from typing import Any, cast

import nibabel
import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform, Orientation, ResampleToMatch

from volfuse.choices import Plane
from volfuse.errors import FusionError
from volfuse.imaging.notes import with_notes
from volfuse.imaging.relation import relate
from volfuse.imaging.stored import About

# Rows, columns and slices as the image is read: axial slices from above the feet, patient's right at the left.
PLANES: Mapping[Plane, str] = {"axial": "PLS", "coronal": "ILP", "sagittal": "IPL"}


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

    def _match(self, source: MetaTensor, reference: MetaTensor) -> MetaTensor:
        relation = relate(source, reference)
        if relation.refusal:
            raise FusionError(relation.refusal)
        matched = source if relation.same_grid else cast(MetaTensor, self.resample(source, reference))
        # What is resampled has the metadata of the reference.
        return with_notes(matched, About.from_meta(source.meta), relation.notes)


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
