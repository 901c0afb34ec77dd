"""One grid for all sources: anatomical slices, resampling onto the reference, and the way back.

Source 0 is the reference. Everything is first turned so that slices lie along the last axis and look as a
radiologist reads them, whatever the storage order of the file; a flipped or permuted file therefore gives
the same fused image.
"""

from collections.abc import Hashable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform, Orientation
from torch import Tensor

from volfuse.choices import Plane
from volfuse.errors import FusionError
from volfuse.imaging.notes import with_notes
from volfuse.imaging.relation import on_same_grid, relate
from volfuse.imaging.resampling import Sampling
from volfuse.imaging.slabs import ORIGIN, Data, OnSlab, SlabTransform, empty_slices
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


class MatchReferenced(SlabTransform):
    """Resample every source onto the grid of the first, linearly; 0 where it has no voxels.

    Sources come windowed (see ``ApplyWindowsd``), so 0 is black. A source on the same grid keeps its voxels.

    Raises:
        FusionError: if two images do not overlap, or have different sizes and no position in space.
    """

    def settle(self, data: Mapping[Hashable, Any]) -> tuple[Data, OnSlab]:
        """Judge how the sources lie on each other; see :class:`~volfuse.imaging.slabs.SlabTransform`."""
        result = dict(data)
        reference = result[self.keys[0]]
        samplings: dict[Hashable, Sampling | None] = {}
        for key in self.keys[1:]:
            relation = relate(result[key], reference)
            if relation.refusal:
                raise FusionError(relation.refusal)
            samplings[key] = None if relation.same_grid else _sampling(result[key], reference)
            result[key] = with_notes(result[key], About.from_meta(result[key].meta), relation.notes)
        return result, partial(_match, self.keys[0], samplings)


class RestoreGridd(MapTransform):
    """Turn the fused image back to the storage order of the reference, with exactly its affine."""

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self.key_iterator(data):
            image: MetaTensor = result[key]
            storage = Storage(image.shape[0], image.shape[1:], image.dtype, image.meta)
            storage.put(0, image.as_tensor())
            result[key] = storage.image(image.meta)
        return result


class Storage:
    """A volume in the storage order of its reference, which is filled with turned slices.

    In memory it lies as files have it: channels of a voxel together, then the first axis.

    Args:
        channels: how many.
        shape: H, W, D of the turned volume.
        dtype: of the voxels.
        meta: of the turned reference: its ``affine``, and ``original_affine``, that of the storage.
    """

    def __init__(
        self, channels: int, shape: Sequence[int], dtype: torch.dtype, meta: Mapping[str, Any]
    ) -> None:
        self._affine = np.asarray(meta["original_affine"], dtype=np.float64)
        turned = np.linalg.inv(np.asarray(meta["affine"], dtype=np.float64)) @ self._affine
        axes = np.abs(turned[:3, :3]).argmax(axis=0)  # the turned axis of each axis of the storage
        backwards = turned[axes, range(3)] < 0
        stored = [shape[axis] for axis in axes]
        self._stored = torch.empty((*reversed(stored), channels), dtype=dtype).permute(3, 2, 1, 0)
        view = self._stored.numpy()[:, *(slice(None, None, -1 if back else 1) for back in backwards)]
        self._turned = view.transpose(0, *(1 + np.argsort(axes)))

    def put(self, start: int, slices: Tensor) -> None:
        """Fill in turned slices (C, H, W, D), the first of which is number ``start``."""
        self._turned[..., start : start + slices.shape[-1]] = slices.cpu().numpy()

    def image(self, meta: Mapping[str, Any]) -> MetaTensor:
        """Return the volume (C, X, Y, Z), with ``meta`` of the turned one."""
        return MetaTensor(self._stored, meta={**meta, "affine": torch.from_numpy(self._affine)})


def slab_of(source: MetaTensor, reference: MetaTensor, start: int, stop: int) -> MetaTensor:
    """Return the part of a source that the slices ``start`` to ``stop`` of a reference are made of, and its place."""
    whole = slice(None), slice(None), slice(start, stop)
    box = whole if on_same_grid(source, reference) else _sampling(source, reference).box(start, stop)
    origin = tuple(part.start or 0 for part in box)
    return MetaTensor(source.as_tensor()[:, *box], meta={**source.meta, ORIGIN: origin})


def _match(first: Hashable, samplings: Mapping[Hashable, Sampling | None], data: Data) -> Data:
    result = dict(data)
    reference: MetaTensor = data[first]
    *_, start = reference.meta.get(ORIGIN, (0, 0, 0))
    for key, sampling in samplings.items():
        if sampling is not None:
            source: MetaTensor = data[key]
            part, origin = source.as_tensor().float(), source.meta.get(ORIGIN, (0, 0, 0))
            matched = empty_slices(part.shape[0], reference.shape[1:])
            for number in range(matched.shape[-1]):
                matched[..., number] = sampling.slice(part, origin, start + number)
            own = {name: source.meta[name] for name in ("filename_or_obj", "about")}
            result[key] = MetaTensor(matched, meta={**reference.meta, **own})
    return result


def _sampling(source: MetaTensor, reference: MetaTensor) -> Sampling:
    to_source = torch.linalg.inv(source.affine) @ reference.affine
    return Sampling(to_source.numpy(), tuple(reference.shape[1:]), tuple(source.shape[1:]))
