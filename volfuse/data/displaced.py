"""Pairs of phantom scans that are not registered, with the transform between them known exactly."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from monai.data import MetaTensor

from volfuse.data.phantoms import Contrast, grid_points, head_values

Motion = Literal["rigid", "affine", "smooth"]

# Of the i-th pair: the contrasts of both scans, and how the head moved in between.
CONTRASTS: tuple[tuple[Contrast, Contrast], ...] = (("mr", "t2"), ("mr", "ct"), ("mr", "pet"), ("t2", "mr"))
MOTIONS: tuple[Motion, ...] = ("rigid", "affine", "smooth")

_ROTATION, _SHIFT = 15.0, 15.0  # degrees and mm, at most, about and along each axis
_STRETCH = 0.08  # scales and shears of an affine motion, at most
_BUMPS, _BUMP_HEIGHT, _BUMP_WIDTH = 6, 7.0, 28.0  # mm
_NOISE = 0.02  # standard deviation; values are 0..1
_NUM_TARGETS = 500


@dataclass(frozen=True)
class DisplacedPair:
    """Two scans of one phantom head that moved in between.

    Attributes:
        reference: (1, X, Y, Z), uint8.
        second: the same head in another contrast, place and shape, on a coarser, oblique grid.
        targets: points of the head as they lie in the reference scan, (P, 3), RAS mm.
        moved: the same points as they lie in the second scan.
    """

    reference: MetaTensor
    second: MetaTensor
    targets: np.ndarray
    moved: np.ndarray

    def target_errors(self, transform: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """Return how far a transform misses each target, (P,), in voxels of ``reference``.

        Args:
            transform: maps points (P, 3) of the reference to the second scan, RAS mm.
        """
        voxel = np.linalg.norm(self.reference.affine.numpy()[:3, :3], axis=0).mean()
        misses: np.ndarray = np.linalg.norm(transform(self.targets) - self.moved, axis=1) / voxel
        return misses


def displaced_pair(
    number: int, motion: Motion | None = None, subject: int | None = None, spacing: float = 2.5
) -> DisplacedPair:
    """Make the pair with a number: contrasts and kind of motion take turns.

    Args:
        number: seeds everything that is random.
        motion: the kind of motion, by default the one whose turn it is.
        subject: whose head is in the second scan; by default it is that in the reference one, number ``number``.
        spacing: of the reference grid in mm; 2.5 gives 61x77x64 voxels.
    """
    rng = np.random.default_rng([number, 7])
    contrasts = CONTRASTS[number % len(CONTRASTS)]
    back = _motion(rng, motion or MOTIONS[number % len(MOTIONS)])
    reference_affine = _grid((152, 192, 160), spacing)
    second_affine = _grid((192, 225, 192), 1.25 * spacing)
    second_affine[:3] = _rotation(rng, 10.0) @ second_affine[:3]
    reference_points = grid_points(_shape((152, 192, 160), spacing), reference_affine)
    second_points = grid_points(_shape((192, 225, 192), 1.25 * spacing), second_affine)
    subject = number if subject is None else subject
    reference = head_values(reference_points, contrasts[0], number)
    second = head_values(back(second_points), contrasts[1], subject)
    # Motion is known from the second scan back to the reference one, so targets are drawn in the second scan.
    candidates = rng.uniform(-100, 100, (200 * _NUM_TARGETS, 3))
    sources = back(candidates)
    inside = np.linalg.norm(sources / (66, 86, 71), axis=1) < 1
    return DisplacedPair(
        _scan(rng, reference, reference_affine, f"reference_{number}.nii.gz"),
        _scan(rng, second, second_affine, f"second_{number}.nii.gz"),
        sources[inside][:_NUM_TARGETS],
        candidates[inside][:_NUM_TARGETS],
    )


def _motion(rng: np.random.Generator, motion: Motion) -> Callable[[np.ndarray], np.ndarray]:
    """Draw a map of points (..., 3), RAS mm, from the second scan to the reference one."""
    matrix = _rotation(rng, _ROTATION)
    shift = rng.uniform(-_SHIFT, _SHIFT, 3)
    if motion == "affine":
        matrix = matrix @ (np.eye(3) + rng.uniform(-_STRETCH, _STRETCH, (3, 3)))
    centers = rng.uniform(-1, 1, (_BUMPS, 3)) * (50, 65, 50)
    heights = rng.normal(size=(_BUMPS, 3))
    heights *= _BUMP_HEIGHT / np.linalg.norm(heights, axis=1, keepdims=True)

    def back(points: np.ndarray) -> np.ndarray:
        bent = points.copy()
        if motion == "smooth":
            for center, height in zip(centers, heights, strict=True):
                squared = ((points - center) ** 2).sum(-1, keepdims=True)
                bent += height * np.exp(-squared / (2 * _BUMP_WIDTH**2))
        moved: np.ndarray = bent @ matrix.T + shift
        return moved

    return back


def _rotation(rng: np.random.Generator, degrees: float) -> np.ndarray:
    matrix = np.eye(3)
    for axis, angle in enumerate(np.radians(rng.uniform(-degrees, degrees, 3))):
        turn = np.eye(3)
        first, second = (axis + 1) % 3, (axis + 2) % 3
        turn[[first, second], [first, second]] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    return matrix


def _shape(extent: tuple[float, float, float], spacing: float) -> tuple[int, ...]:
    return tuple(round(length / spacing) for length in extent)


def _grid(extent: tuple[float, float, float], spacing: float) -> np.ndarray:
    affine = np.diag([spacing] * 3 + [1.0])
    affine[:3, 3] = [-spacing * (size - 1) / 2 for size in _shape(extent, spacing)]
    return affine


def _scan(rng: np.random.Generator, values: np.ndarray, affine: np.ndarray, name: str) -> MetaTensor:
    noisy = np.abs(values + rng.normal(0, _NOISE, values.shape)).clip(0, 1)
    meta = {"filename_or_obj": name, "affine": torch.from_numpy(affine), "space": "RAS", "has_geometry": True}
    return MetaTensor(torch.from_numpy((noisy * 255).round().astype(np.uint8))[None], meta=meta)
