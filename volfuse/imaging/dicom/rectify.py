"""Slices that are sheared, shifted or unevenly spaced, resampled onto a regular grid."""

import numpy as np

from volfuse.errors import FusionError
from volfuse.imaging.dicom.stack import Stack

_MOST_SLICES = 4  # times as many as there were
_WIDEST = 2  # times as wide


def rectified(
    name: str, stack: Stack, values: np.ndarray, affine: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate linearly, first within each slice to undo its shift, then between slices.

    Args:
        name: what messages call it.
        stack: where the slices lie.
        values: (X, Y, Z) or RGB (X, Y, Z, 3), the slices in the order of the stack.
        affine: of the first slice, 4x4, voxel index to LPS mm; its third column is the normal.

    Returns:
        Values on a grid whose slices lie behind one another, as far apart as they usually were, and its affine (LPS).
        The grid is as wide as all slices together; where it has none, it holds the lowest value.

    Raises:
        FusionError: if the slices lie too far from one another for that.
    """
    heights = stack.heights - stack.heights[0]
    count = max(2, int(np.rint(heights[-1] / stack.distance)) + 1)
    shifts = (stack.positions - stack.positions[0]) @ np.linalg.pinv(affine[:3, :2]).T  # in pixels
    low, high = np.floor(shifts.min(axis=0) + 1e-6), np.ceil(shifts.max(axis=0) - 1e-6)
    size = np.array(values.shape[:2]) + (high - low)
    if count > _MOST_SLICES * len(heights) or (size > _WIDEST * np.array(values.shape[:2])).any():
        raise FusionError(f"The slices of {name} lie too far from one another to be resampled.")
    lowest = values.min()
    width, height = (int(length) for length in size)
    result = np.empty((width, height, count, *values.shape[3:]), np.float32)
    wanted = np.linspace(0, heights[-1], count)
    below = np.clip(np.searchsorted(heights, wanted, side="right") - 1, 0, len(heights) - 2)
    kept: dict[int, np.ndarray] = {}
    for k, (start, height_wanted) in enumerate(zip(below, wanted, strict=True)):
        kept = {
            number: kept[number]
            if number in kept
            else _shifted(values[:, :, number], shifts[number] - low, (width, height), lowest)
            for number in (start, start + 1)
        }
        part = (height_wanted - heights[start]) / (heights[start + 1] - heights[start])
        result[:, :, k] = (1 - part) * kept[start] + part * kept[start + 1]
    grid = affine.copy()
    grid[:3, 3] = affine[:3, 3] + affine[:3, :2] @ low
    grid[:3, 2] = stack.normal * heights[-1] / (count - 1)
    is_color = values.ndim == 4
    return (np.rint(result).astype(values.dtype) if is_color else result), grid


def _shifted(pixels: np.ndarray, shift: np.ndarray, size: tuple[int, int], outside: float) -> np.ndarray:
    """Return a slice moved by a number of pixels that need not be whole, on a larger grid."""
    whole, part = np.floor(shift + 1e-6).astype(int), shift - np.floor(shift + 1e-6)
    moved = np.full((*size, *pixels.shape[2:]), outside, np.float32)
    plain = pixels.astype(np.float32)
    for axis in (0, 1):
        if part[axis] > 1e-6:
            before = np.roll(plain, 1, axis=axis)
            before[(slice(None),) * axis + (0,)] = outside
            grown = np.concatenate([plain, np.full_like(plain.take([0], axis), outside)], axis)
            before = np.concatenate([before, plain.take([-1], axis)], axis)
            plain = (1 - part[axis]) * grown + part[axis] * before
    x, y = whole
    width, height = min(plain.shape[0], size[0] - x), min(plain.shape[1], size[1] - y)
    moved[x : x + width, y : y + height] = plain[:width, :height]
    return moved
