"""Volumes of which floating-point copies would be too large: one look at the whole, then some slices at a time.

A slab is the slices ``start`` to ``stop`` of volumes (C, H, W, D). A slice comes out the same in slabs of any length.
"""

from abc import abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.data import MetaTensor
from monai.transforms import MapTransform
from torch import Tensor

Data = dict[Hashable, Any]
OnSlab = Callable[[Data], Data]

ORIGIN = "origin"
"""Key in ``meta`` of a slab: the index of its first voxel in the whole volume."""


class SlabTransform(MapTransform):
    """A transform that looks at whole volumes first, and then does its work on the whole or on any slab of it."""

    @abstractmethod
    def settle(self, data: Mapping[Hashable, Any]) -> tuple[Data, OnSlab]:
        """Look at whole volumes; return them with notes on what was found, and what works on a slab of them."""

    def __call__(self, data: Mapping[Hashable, Any]) -> Data:
        """Work on whole volumes."""
        settled, on_slab = self.settle(data)
        return on_slab(settled)


class SlabSources:
    """Turned sources in their stored type, which are prepared slab by slab.

    Args:
        data: whole volumes (C, H, W, D) under ``keys``; the first is the reference.
        keys: of the sources.
        transforms: what prepares them.
        cut: ``cut(source, reference, start, stop)`` returns what of a source a slab needs.
    """

    def __init__(
        self,
        data: Mapping[Hashable, Any],
        keys: Sequence[Hashable],
        transforms: Sequence[SlabTransform],
        cut: Callable[[MetaTensor, MetaTensor, int, int], MetaTensor],
    ) -> None:
        self._data, self._keys, self._cut = dict(data), keys, cut
        self._steps: list[OnSlab] = []
        for transform in transforms:
            self._data, on_slab = transform.settle(self._data)
            self._steps.append(on_slab)

    @property
    def shape(self) -> tuple[int, int, int]:
        """H, W, D of the reference."""
        height, width, depth = self._data[self._keys[0]].shape[1:]
        return height, width, depth

    def slab(self, start: int, stop: int) -> Data:
        """Return what the transforms make of some slices."""
        reference = self._data[self._keys[0]]
        data = {key: self._cut(self._data[key], reference, start, stop) for key in self._keys}
        for step in self._steps:
            data = step(data)
        return data


def empty_slices(channels: int, shape: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
    """Return an empty (C, H, W, D) of which each slice lies in one piece of memory; ``shape`` is H, W, D."""
    height, width, depth = shape
    return torch.empty((depth, channels, height, width), dtype=dtype).movedim(0, -1)
