"""Linear interpolation, one slice at a time, so that a slice does not depend on which others are made with it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Box = tuple[slice, slice, slice]

_STRAIGHT = 1e-4  # voxels by which the axes of two grids may part and still be parallel


@dataclass(frozen=True)
class Sampling:
    """Where the voxels of one grid lie in another.

    Attributes:
        matrix: 4x4, voxel index in the target to voxel index in the source.
        target: H, W, D of the grid that is sampled onto.
        source: H, W, D of the grid that is sampled.
    """

    matrix: np.ndarray
    target: tuple[int, ...]
    source: tuple[int, ...]

    def box(self, start: int, stop: int) -> Box:
        """Return the part of the source that the slices ``start`` to ``stop`` of the target are made of."""
        boxes = [self._box(number) for number in range(start, stop)]
        low = np.min([low for low, _ in boxes], axis=0)
        high = np.max([high for _, high in boxes], axis=0)
        return tuple(slice(*ends) for ends in zip(low.tolist(), high.tolist(), strict=True))  # type: ignore[return-value]

    def slice(self, part: Tensor, origin: tuple[int, ...], number: int) -> Tensor:
        """Return one slice (C, H, W) of the target; 0 where the source has no voxels.

        Args:
            part: (C, H, W, D), float32, with at least ``box(number, number + 1)`` of the source.
            origin: the index of its first voxel in the source.
            number: of the slice.
        """
        low, high = self._box(number)
        if (high <= low).any():
            return part.new_zeros(part.shape[0], *self.target[:2])
        rows, columns, slices = (
            slice(first - shift, last - shift)
            for first, last, shift in zip(low.tolist(), high.tolist(), origin, strict=True)
        )
        part = part[:, rows, columns, slices]
        return self._straight(part, low, number) if self._is_straight else self._oblique(part, low, number)

    @cached_property
    def _is_straight(self) -> bool:
        linear = self.matrix[:3, :3]
        apart = np.abs(linear - np.diag(np.diag(linear))) * (np.array(self.target) - 1)
        return bool(apart.sum(axis=1).max() < _STRAIGHT)

    def _box(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the first index and the one after the last; a voxel more at each end covers rounding."""
        height, width, _ = self.target
        corners = np.array(
            [[row, column, number, 1] for row in (0, height - 1) for column in (0, width - 1)], dtype=float
        )
        index = corners @ self.matrix[:3].T
        low = np.floor(index.min(axis=0)).astype(int) - 1
        high = np.floor(index.max(axis=0)).astype(int) + 3
        return np.clip(low, 0, self.source), np.clip(high, 0, self.source)

    def _straight(self, part: Tensor, low: np.ndarray, number: int) -> Tensor:
        """Axis by axis: the axes of both grids are parallel."""
        result = part
        for axis, numbers in (
            (2, np.array([number])),
            (0, np.arange(self.target[0])),
            (1, np.arange(self.target[1])),
        ):
            index = self.matrix[axis, axis] * numbers + self.matrix[axis, 3]
            before = np.floor(index)
            ends = []
            for neighbour, weight in ((before, 1 - (index - before)), (before + 1, index - before)):
                inside = (neighbour >= 0) & (neighbour < self.source[axis])
                weights = torch.from_numpy(np.where(inside, weight, 0).astype(np.float32))
                place = np.clip(neighbour - low[axis], 0, part.shape[axis + 1] - 1).astype(np.int64)
                shape = [1] * 4
                shape[axis + 1] = -1
                ends.append(result.index_select(axis + 1, torch.from_numpy(place)).mul_(weights.view(shape)))
            result = ends[0].add_(ends[1])
        return result[..., 0]

    def _oblique(self, part: Tensor, low: np.ndarray, number: int) -> Tensor:
        height, width, _ = self.target
        size = np.array(part.shape[1:])
        # The coordinates of torch: -1 and 1 are the outer faces of the first and the last voxel.
        scale = 2 / size
        start = (self.matrix[:3, 2] * number + self.matrix[:3, 3] - low + 0.5) * scale - 1
        rows = np.arange(height)[:, None] * (self.matrix[:3, 0] * scale) + start
        columns = np.arange(width)[:, None] * (self.matrix[:3, 1] * scale)
        # Column, row, slice: torch counts the fastest axis first.
        down, right = (torch.from_numpy(ends[:, [1, 0, 2]]).float() for ends in (rows, columns))
        grid = down[:, None] + right
        sampled = F.grid_sample(
            part.movedim(-1, 1)[None], grid[None, None], "bilinear", "zeros", align_corners=False
        )
        return sampled[0, :, 0]
