"""Phantoms: heads made of ellipsoids, sampled on any grid in space.

The anatomy is a function of world coordinates, so two scans of it on different grids show the same thing in
the same place, and every voxel has a known value. A subject adds folds and nuclei of its own to the plain head.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

Contrast = Literal["mr", "t2", "ct", "pet"]

# Center and half axes in mm (RAS), then the value in each contrast; a later ellipsoid covers an earlier one.
_TISSUES = (
    ((0, 0, 0), (70, 90, 75), {"mr": 0.35, "t2": 0.10, "ct": 0.95, "pet": 0.05}),  # skull
    ((0, 0, 0), (63, 83, 68), {"mr": 0.55, "t2": 0.65, "ct": 0.40, "pet": 0.70}),  # grey matter
    ((0, -5, 5), (48, 66, 50), {"mr": 0.85, "t2": 0.40, "ct": 0.35, "pet": 0.25}),  # white matter
    ((-10, 5, 5), (8, 28, 14), {"mr": 0.15, "t2": 1.00, "ct": 0.20, "pet": 0.05}),  # left ventricle
    ((10, 5, 5), (8, 28, 14), {"mr": 0.15, "t2": 1.00, "ct": 0.20, "pet": 0.05}),  # right ventricle
    ((30, 30, 20), (12, 12, 12), {"mr": 0.65, "t2": 0.85, "ct": 0.45, "pet": 1.00}),  # lesion
)
_EDGE = 3.0  # mm over which one tissue passes into the next
_FOLDED = range(2, 6)  # tissues that differ between subjects: all inside the grey matter
_WAVES, _WAVELENGTHS, _FOLD_DEPTH = 24, (25.0, 60.0), 0.1  # mm; depth as a share of a tissue's half axes
_NUCLEI, _NUCLEUS_RADII = 16, (5.0, 10.0)  # mm


def head_phantom(shape: Sequence[int], affine: np.ndarray, contrast: Contrast) -> np.ndarray:
    """Sample the plain phantom head on a grid.

    Args:
        shape: (X, Y, Z) of the grid.
        affine: 4x4, voxel index to RAS mm.
        contrast: which scan to imitate.

    Returns:
        (X, Y, Z), float32, values 0..1; 0 outside the head.
    """
    return head_values(grid_points(shape, affine), contrast)


def grid_points(shape: Sequence[int], affine: np.ndarray) -> np.ndarray:
    """Return where the voxels of a grid lie: (X, Y, Z, 3), RAS mm."""
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    return index @ affine[:3, :3].T + affine[:3, 3]


def head_values(points: np.ndarray, contrast: Contrast, subject: int | None = None) -> np.ndarray:
    """Look at the phantom head in any points.

    Args:
        points: (..., 3), RAS mm.
        contrast: which scan to imitate.
        subject: whose head, with folds and nuclei drawn from this number; ``None`` is the plain head.

    Returns:
        (...), float32, values 0..1; 0 outside the head.
    """
    image = np.zeros(points.shape[:-1])
    folds = 0.0 if subject is None else _folds(points, subject)
    for number, (center, half_axes, values) in enumerate([*_TISSUES, *_nuclei(subject)]):
        radius = np.linalg.norm((points - center) / half_axes, axis=-1)
        if number in _FOLDED:
            radius = radius + _FOLD_DEPTH * folds
        depth = (1 - radius) * min(half_axes) / _EDGE
        share = 1 / (1 + np.exp(-4 * depth.clip(-20, 20)))
        image += share * (values[contrast] - image)
    return np.where(image < 1e-3, 0, image).astype(np.float32)


def _folds(points: np.ndarray, subject: int) -> np.ndarray:
    """A smooth random field with mean 0 and standard deviation 1: plane waves of random direction and phase."""
    rng = np.random.default_rng([subject, 0])
    field = np.zeros(points.shape[:-1])
    for direction in rng.normal(size=(_WAVES, 3)):
        wave = direction / np.linalg.norm(direction) * 2 * np.pi / rng.uniform(*_WAVELENGTHS)
        field += np.cos(points @ wave + rng.uniform(0, 2 * np.pi))
    return field / np.sqrt(_WAVES / 2)


def _nuclei(subject: int | None) -> list[tuple]:
    """Small ellipsoids of grey matter, anywhere in the brain."""
    if subject is None:
        return []
    rng = np.random.default_rng([subject, 1])
    grey = _TISSUES[1][2]
    directions = rng.normal(size=(_NUCLEI, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    centers = directions * rng.uniform(0.3, 0.75, (_NUCLEI, 1)) * (48, 66, 50) + (0, -5, 5)
    return [(center, rng.uniform(*_NUCLEUS_RADII, 3), grey) for center in centers]
