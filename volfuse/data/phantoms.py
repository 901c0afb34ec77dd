"""Phantoms: heads made of ellipsoids, sampled on any grid in space.

The anatomy is a function of world coordinates, so two scans of it on different grids show the same thing in
the same place, and every voxel has a known value. A subject adds a face, and folds and nuclei of its own, to the
plain head.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

Contrast = Literal["mr", "t2", "ct", "pet"]


class _Tissue(NamedTuple):
    """An ellipsoid: center and half axes in mm (RAS), the value in each contrast, how deep its folds are."""

    center: ArrayLike
    half_axes: Sequence[float] | np.ndarray
    values: Mapping[Contrast, float]
    fold_depth: float = 0.0


# A later ellipsoid covers an earlier one.
_TISSUES = (
    _Tissue((0, 0, 0), (70, 90, 75), {"mr": 0.35, "t2": 0.10, "ct": 0.95, "pet": 0.05}),  # skull
    _Tissue((0, 0, 0), (63, 83, 68), {"mr": 0.55, "t2": 0.65, "ct": 0.40, "pet": 0.70}),  # grey matter
    _Tissue((0, -5, 5), (48, 66, 50), {"mr": 0.85, "t2": 0.40, "ct": 0.35, "pet": 0.25}),  # white matter
    _Tissue((-10, 5, 5), (8, 28, 14), {"mr": 0.15, "t2": 1.00, "ct": 0.20, "pet": 0.05}),  # left ventricle
    _Tissue((10, 5, 5), (8, 28, 14), {"mr": 0.15, "t2": 1.00, "ct": 0.20, "pet": 0.05}),  # right ventricle
    _Tissue((30, 30, 20), (12, 12, 12), {"mr": 0.65, "t2": 0.85, "ct": 0.45, "pet": 1.00}),  # lesion
)
# What a subject has besides: a face, without which a head is close to a ball and its rotation hard to see.
_FACE = (
    _Tissue((0, 62, -45), (38, 30, 32), {"mr": 0.35, "t2": 0.10, "ct": 0.95, "pet": 0.05}),  # bone
    _Tissue((-25, 78, -25), (11, 11, 11), {"mr": 0.20, "t2": 0.95, "ct": 0.30, "pet": 0.10}),  # left eye
    _Tissue((25, 78, -25), (11, 11, 11), {"mr": 0.20, "t2": 0.95, "ct": 0.30, "pet": 0.10}),  # right eye
    _Tissue((0, 72, -50), (14, 16, 18), {"mr": 0.0, "t2": 0.0, "ct": 0.0, "pet": 0.0}),  # air in the nose
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
    points: np.ndarray = index @ affine[:3, :3].T + affine[:3, 3]
    return points


def head_values(points: np.ndarray, contrast: Contrast, subject: int | None = None) -> np.ndarray:
    """Sample the phantom head at any points.

    Args:
        points: (..., 3), RAS mm.
        contrast: which scan to imitate.
        subject: whose head, with a face, and folds and nuclei drawn from this number; ``None`` is the plain head.

    Returns:
        (...), float32, values 0..1; 0 outside the head.
    """
    image = np.zeros(points.shape[:-1])
    tissues = _TISSUES if subject is None else _tissues_of(subject)
    shape, folds = (0.0, 0.0) if subject is None else _shape_and_folds(points, subject)
    for center, half_axes, values, fold_depth in tissues:
        radius = (
            np.linalg.norm((points - center) / half_axes, axis=-1) * (1 + _SHAPE_DEPTH * shape)
            + fold_depth * folds
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


def _tissues_of(subject: int) -> Sequence[_Tissue]:
    """A subject's ellipsoids."""
    rng = np.random.default_rng([subject, 1])
    skull, brain, *inner = _TISSUES
    inner = [
        _Tissue(
            np.add(tissue.center, rng.uniform(-_PLACE_SPREAD, _PLACE_SPREAD, 3)),
            np.multiply(tissue.half_axes, rng.uniform(1 - _SIZE_SPREAD, 1 + _SIZE_SPREAD, 3)),
            tissue.values,
            _FOLD_DEPTH,
        )
        for tissue in inner
    ]
    directions = rng.normal(size=(_NUCLEI, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    centers = directions * rng.uniform(0.3, 0.75, (_NUCLEI, 1)) * (48, 66, 50) + (0, -5, 5)
    nuclei = [
        _Tissue(center, rng.uniform(*_NUCLEUS_RADII, 3), brain.values, _FOLD_DEPTH) for center in centers
    ]
    return [skull, brain, *inner, *_FACE, *nuclei]
