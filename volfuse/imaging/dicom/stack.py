"""Planes behind one another: in which order, how far apart, and whether that is even."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import atan, degrees, sqrt

import numpy as np

from volfuse.imaging.dicom.instance import Frame

SAME_PLACE = 1e-3  # mm
_OF_DISTANCE = 0.01  # by so much of their distance slices may lie elsewhere; more is refused
_COARSEST = 0.05  # mm: positions rounded more coarsely than to 0.1 mm are not excused by it
_COARSEST_DIRECTION = 5e-4


@dataclass(frozen=True)
class Stack:
    """Frames in the order of their positions along the normal, and the even stack that comes closest.

    Attributes:
        frames: sorted.
        positions: of their first pixels, (K, 3), LPS mm.
        normal: unit vector, LPS.
        origin: of the even stack, (3,), LPS mm.
        step: from slice to slice of the even stack, (3,), LPS mm.
        tolerance: how far a slice may lie from its place, for the rounding of the header and a little more, mm.
    """

    frames: tuple[Frame, ...]
    positions: np.ndarray
    normal: np.ndarray
    origin: np.ndarray
    step: np.ndarray
    tolerance: float

    @property
    def heights(self) -> np.ndarray:
        """Positions along the normal, (K,), mm."""
        heights: np.ndarray = self.positions @ self.normal
        return heights

    @property
    def gaps(self) -> np.ndarray:
        """Distances from slice to slice along the normal, (K - 1,), mm."""
        return np.diff(self.heights)

    @property
    def distance(self) -> float:
        """The usual distance, mm."""
        return float(np.median(self.gaps))

    @property
    def deviation(self) -> float:
        """How far the slice that fits worst lies from its place in the even stack, mm."""
        places = self.origin + np.arange(len(self.frames))[:, None] * self.step
        return float(np.linalg.norm(self.positions - places, axis=1).max())

    @property
    def tilt(self) -> float:
        """The angle between the stack and the normal of its slices, degrees."""
        along = self.step @ self.normal
        return degrees(atan(np.linalg.norm(self.step - along * self.normal) / along))

    def trouble(self) -> str:
        """Return why this is no even stack, as the end of a sentence, or nothing."""
        if len(self.frames) < 2:
            return ""
        limit = min(self.tolerance, 0.3 * self.distance)
        gaps, usual = self.gaps, self.distance
        if np.abs(gaps - usual).max() > 2 * limit or self._bends(limit):
            return self._unevenness(usual, 2 * limit)
        along = self.step @ self.normal
        sideways = np.linalg.norm(self.step - along * self.normal) * (len(self.frames) - 1)
        rounding = min(max(f.plane.orientation_rounding for f in self.frames), _COARSEST_DIRECTION)
        if sideways > limit + 2 * rounding * np.linalg.norm(self.positions[-1] - self.positions[0]):
            return f"are sheared by {self.tilt:.1f} degrees, as by a tilted gantry"
        return ""

    def _bends(self, limit: float) -> bool:
        return self.deviation > limit

    def _unevenness(self, usual: float, limit: float) -> str:
        gaps = self.gaps
        lost = np.rint(gaps / usual).astype(int) - 1
        if (lost > 0).any() and np.abs(gaps - (lost + 1) * usual).max() <= max(limit, 0.1 * usual):
            where = int(np.argmax(lost > 0))
            count = int(lost.sum())
            elsewhere = " and elsewhere" if (lost > 0).sum() > 1 else ""
            return (
                f"have gaps: {count} {'is' if count == 1 else 'are'} missing between {self.frames[where].name} "
                f"and {self.frames[where + 1].name}{elsewhere}, {gaps[where]:.4g} mm apart where {usual:.4g} mm "
                "are usual"
            )
        if gaps.max() - gaps.min() > limit:
            return f"are unevenly spaced, from {gaps.min():.4g} to {gaps.max():.4g} mm apart"
        return f"are shifted against each other, by up to {self.deviation:.2g} mm"


def stacked(frames: Sequence[Frame]) -> Stack:
    """Sort frames that have positions and share an orientation; with an even step that fits them best."""
    normal = frames[0].plane.normal
    positions = np.array([frame.plane.position for frame in frames])
    order = np.argsort(positions @ normal, kind="stable")
    positions = positions[order]
    ordered = tuple(frames[k] for k in order)
    numbers = np.arange(len(frames)) - (len(frames) - 1) / 2
    middle = positions.mean(axis=0)
    step = numbers @ (positions - middle) / max(numbers @ numbers, 1)
    rounding = min(max(frame.plane.position_rounding for frame in frames), _COARSEST)
    distance = float(np.median(np.diff(positions @ normal))) if len(frames) > 1 else 0.0
    tolerance = sqrt(3) * rounding + _OF_DISTANCE * distance
    return Stack(ordered, positions, normal, middle + numbers[0] * step, step, tolerance)
