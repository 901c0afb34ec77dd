"""Phantoms: heads made of ellipsoids, sampled on any grid in space.

The anatomy is a function of world coordinates, so two scans of it on different grids show the same thing in
the same place, and every voxel has a known value.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

Contrast = Literal["mr", "ct", "pet"]

# Center and half axes in mm (RAS), then the value in each contrast; a later ellipsoid covers an earlier one.
_TISSUES = (
    ((0, 0, 0), (70, 90, 75), {"mr": 0.35, "ct": 0.95, "pet": 0.05}),  # skull
    ((0, 0, 0), (63, 83, 68), {"mr": 0.55, "ct": 0.40, "pet": 0.70}),  # grey matter
    ((0, -5, 5), (48, 66, 50), {"mr": 0.85, "ct": 0.35, "pet": 0.25}),  # white matter
    ((-10, 5, 5), (8, 28, 14), {"mr": 0.15, "ct": 0.20, "pet": 0.05}),  # left ventricle
    ((10, 5, 5), (8, 28, 14), {"mr": 0.15, "ct": 0.20, "pet": 0.05}),  # right ventricle
    ((30, 30, 20), (12, 12, 12), {"mr": 0.65, "ct": 0.45, "pet": 1.00}),  # lesion
)
_EDGE = 3.0  # mm over which one tissue passes into the next


def head_phantom(shape: Sequence[int], affine: np.ndarray, contrast: Contrast) -> np.ndarray:
    """Sample the phantom head on a grid.

    Args:
        shape: (X, Y, Z) of the grid.
        affine: 4x4, voxel index to RAS mm.
        contrast: which scan to imitate.

    Returns:
        (X, Y, Z), float32, values 0..1; 0 outside the head.
    """
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    world = index @ affine[:3, :3].T + affine[:3, 3]
    image = np.zeros(tuple(shape))
    for center, half_axes, values in _TISSUES:
        radius = np.linalg.norm((world - center) / half_axes, axis=-1)
        depth = (1 - radius) * min(half_axes) / _EDGE
        share = 1 / (1 + np.exp(-4 * depth.clip(-20, 20)))
        image += share * (values[contrast] - image)
    return np.where(image < 1e-3, 0, image).astype(np.float32)
