"""Phantoms: heads made of ellipsoids, sampled on any grid in space.

The anatomy is a function of world coordinates, so two scans of it on different grids show the same thing in
the same place, and every voxel has a known value. A subject adds a face, and folds and nuclei of its own, to the
plain head.
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
# What a subject has besides: a face, without which a head is close to a ball and its rotation hard to see.
_FACE = (
    ((0, 62, -45), (38, 30, 32), {"mr": 0.35, "t2": 0.10, "ct": 0.95, "pet": 0.05}),  # bone
    ((-25, 78, -25), (11, 11, 11), {"mr": 0.20, "t2": 0.95, "ct": 0.30, "pet": 0.10}),  # left eye
    ((25, 78, -25), (11, 11, 11), {"mr": 0.20, "t2": 0.95, "ct": 0.30, "pet": 0.10}),  # right eye
    ((0, 72, -50), (14, 16, 18), {"mr": 0.0, "t2": 0.0, "ct": 0.0, "pet": 0.0}),  # air in the nose
)
_EDGE = 3.0  # mm over which one tissue passes into the next
# How subjects differ: the shape of the head, sizes, places and folds of what lies in the skull, nuclei.
_SIZE_SPREAD, _PLACE_SPREAD = 0.15, 5.0  # at most; a share of the half axes, mm
_SHAPE_LENGTHS, _SHAPE_DEPTH = (80.0, 160.0), 0.04  # wavelengths in mm, depth as a share of the half axes
_FOLD_LENGTHS, _FOLD_DEPTH = (18.0, 50.0), 0.12
_NUCLEI, _NUCLEUS_RADII = 24, (5.0, 10.0)  # mm
_WAVES = 32


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
        subject: whose head, with a face, and folds and nuclei drawn from this number; ``None`` is the plain head.

    Returns:
        (...), float32, values 0..1; 0 outside the head.
    """
    image = np.zeros(points.shape[:-1])
    tissues = [(*tissue, 0.0) for tissue in _TISSUES] if subject is None else _tissues_of(subject)
    shape, folds = (0.0, 0.0) if subject is None else _shape_and_folds(points, subject)
    for center, half_axes, values, folded in tissues:
        radius = (
            np.linalg.norm((points - center) / half_axes, axis=-1) * (1 + _SHAPE_DEPTH * shape)
            + folded * folds
        )
        depth = (1 - radius) * min(half_axes) / _EDGE
        share = 1 / (1 + np.exp(-4 * depth.clip(-20, 20)))
        image += share * (values[contrast] - image)
    return np.where(image < 1e-3, 0, image).astype(np.float32)


def _shape_and_folds(points: np.ndarray, subject: int) -> list[np.ndarray]:
    """A slow and a fast random field, mean 0 and standard deviation 1: waves of random direction and phase."""
    rng = np.random.default_rng([subject, 0])
    fields = []
    for lengths in (_SHAPE_LENGTHS, _FOLD_LENGTHS):
        field = np.zeros(points.shape[:-1])
        for direction in rng.normal(size=(_WAVES, 3)):
            wave = direction / np.linalg.norm(direction) * 2 * np.pi / rng.uniform(*lengths)
            field += np.cos(points @ wave + rng.uniform(0, 2 * np.pi))
        fields.append(field / np.sqrt(_WAVES / 2))
    return fields


def _tissues_of(subject: int) -> list[tuple]:
    """A subject's ellipsoids, each with the depth of its folds."""
    rng = np.random.default_rng([subject, 1])
    skull, brain, *inner = _TISSUES
    inner = [
        (
            np.add(center, rng.uniform(-_PLACE_SPREAD, _PLACE_SPREAD, 3)),
            half_axes * rng.uniform(1 - _SIZE_SPREAD, 1 + _SIZE_SPREAD, 3),
            values,
            _FOLD_DEPTH,
        )
        for center, half_axes, values in inner
    ]
    directions = rng.normal(size=(_NUCLEI, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    centers = directions * rng.uniform(0.3, 0.75, (_NUCLEI, 1)) * (48, 66, 50) + (0, -5, 5)
    nuclei = [(center, rng.uniform(*_NUCLEUS_RADII, 3), brain[2], _FOLD_DEPTH) for center in centers]
    return [(*skull, 0.0), (*brain, 0.0), *inner, *((*part, 0.0) for part in _FACE), *nuclei]
