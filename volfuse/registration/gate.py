"""The quality gate: does a registered volume show the same anatomy in the same place?

No measure of similarity has one threshold for all pairs of contrasts: a perfectly registered PET is less similar to its
MR than the MR of another patient is. What separates them is how much mutual information a deformable registration would
add: little where two scans of one patient are registered, a lot where the scans are of two patients.
docs/how-to/register.md has the numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from volfuse.registration.coarse import coarse
from volfuse.registration.similarity import Similarity, similarity_after
from volfuse.registration.stages import Linear, align

BENDING_LIMIT = 0.1  # what bending may add to the mutual information, as a share of it
BENT_LIMIT = 0.2  # the same for a patient whose shape changed, for whom the deformable stage was asked for
MOST_STRETCH = 1.25  # or its inverse: a patient keeps its size
_LOSS_LIMIT = 0.1  # of the mutual information; interpolation alone costs some


@dataclass(frozen=True)
class Doubt:
    """A reason to think that a registration went wrong.

    Attributes:
        reason: what is suspicious, without a full stop.
        advice: what to do if both scans show the same part of the same patient, without a full stop.
        is_serious: whether the result should not be used.
    """

    reason: str
    advice: str
    is_serious: bool


def bending_gain(reference: sitk.Image, second: sitk.Image, linear: Linear) -> float:
    """Return what a deformable registration would add to the mutual information (NMI - 1), as a share of it.

    Args:
        reference: float volume, values 0..1.
        second: the same.
        linear: where the second volume lies; maps points of ``reference`` to it.

    Raises:
        FusionError: see :func:`~volfuse.registration.stages.align`.
    """
    reference, second = coarse(reference, second)
    bent = align(reference, second, ["syn"], start=linear)
    shared = [similarity_after(reference, second, transform).nmi - 1 for transform in (linear, bent)]
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
        reason = f"bending it would add {bending:.0%} to their mutual information"
        limit = BENT_LIMIT if "syn" in stages else BENDING_LIMIT
        return Doubt(reason, "the stage syn or landmarks may help", is_serious=bending > limit)
    return None


def doubt_of_landmarks(before: Similarity, after: Similarity) -> Doubt | None:
    """Judge where landmarks alone put a volume: it should not fit worse than before."""
    if after.nmi - 1 < (1 - _LOSS_LIMIT) * (before.nmi - 1):
        reason = f"their mutual information fell (NMI {before.nmi:.2f} before, {after.nmi:.2f} now)"
        return Doubt(reason, "check that the landmarks mark the same places", is_serious=False)
    return None
