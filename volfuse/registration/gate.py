"""The quality gate: does a registered volume show the same anatomy in the same place?

No measure of likeness has a value that is good enough for every pair of contrasts: a PET that lies perfectly on its MR
is less like it than the MR of a stranger. What tells is how much is left to gain: where two scans of one patient lie on
each other, bending one of them adds little to what they tell about each other, and where they are of two patients it
adds a lot. docs/how-to/register.md has the numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from volfuse.registration.similarity import Similarity, likeness
from volfuse.registration.stages import Linear, align

BENDING_LIMIT = 0.1  # what bending may add
BENT_LIMIT = 0.2  # the same for a patient whose shape changed, for whom the deformable stage was asked for
MOST_STRETCH = 1.25  # or its inverse: a patient keeps its size
_LOSS_LIMIT = 0.1  # of the mutual information; interpolation alone costs some
_COARSE = 60  # voxels along the longest side are enough to bend a head


@dataclass(frozen=True)
class Doubt:
    """A reason to think that a registration went wrong.

    Attributes:
        reason: what is odd, without a full stop.
        advice: what to do if both scans show the same part of the same patient, without a full stop.
        is_serious: whether the result should not be used.
    """

    reason: str
    advice: str
    is_serious: bool


def bending_gain(fixed: sitk.Image, moving: sitk.Image, linear: Linear) -> float:
    """Return what a deformable registration would add to the mutual information (NMI - 1), as a share of it.

    Args:
        fixed: float volume, values 0..1.
        moving: the same.
        linear: where the moving volume lies; maps points of ``fixed`` to it.

    Raises:
        FusionError: see :func:`~volfuse.registration.stages.align`.
    """
    extent = max(size * spacing for size, spacing in zip(fixed.GetSize(), fixed.GetSpacing(), strict=True))
    fixed, moving = _coarse(fixed, extent / _COARSE), _coarse(moving, extent / _COARSE)
    bent = align(fixed, moving, ["syn"], start=linear)
    shared = [likeness(fixed, moving, transform).nmi - 1 for transform in (linear, bent)]
    return shared[1] / max(shared[0], 1e-6) - 1


def largest_stretch(linear: Linear) -> float:
    """Return the factor by which a linear transform changes lengths in the direction where it is furthest from 1."""
    matrix = np.array(linear.GetMatrix(), dtype=float).reshape(3, 3)
    factors = np.linalg.svd(matrix, compute_uv=False)
    return float(max(factors, key=lambda factor: abs(np.log(factor))))


def doubt_of_stages(stages: Sequence[str], linear: Linear, bending: float) -> Doubt | None:
    """Judge what the stages found.

    Args:
        stages: see :func:`~volfuse.registration.stages.align`.
        linear: the linear part of what they found.
        bending: see :func:`bending_gain`.
    """
    factor = largest_stretch(linear)
    if not 1 / MOST_STRETCH <= factor <= MOST_STRETCH:
        reason = f"the affine stage changes lengths by a factor of {factor:.2f}"
        return Doubt(reason, "leave that stage out or give landmarks", is_serious=True)
    if bending > BENDING_LIMIT:
        reason = f"bending it adds {bending:.0%} to what the two tell about each other"
        limit = BENT_LIMIT if "syn" in stages else BENDING_LIMIT
        return Doubt(reason, "the stage syn or landmarks may help", is_serious=bending > limit)
    return None


def doubt_of_landmarks(before: Similarity, after: Similarity) -> Doubt | None:
    """Judge where landmarks alone put a volume: it should not lie worse than before."""
    if after.nmi - 1 < (1 - _LOSS_LIMIT) * (before.nmi - 1):
        reason = f"the two tell less about each other than before (NMI {before.nmi:.2f}, now {after.nmi:.2f})"
        return Doubt(reason, "check that the landmarks mark the same places", is_serious=False)
    return None


def _coarse(image: sitk.Image, spacing: float) -> sitk.Image:
    coarse: sitk.Image = sitk.BinShrink(image, [max(1, round(spacing / own)) for own in image.GetSpacing()])
    return coarse
