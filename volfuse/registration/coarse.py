"""A quick look at two volumes: how far apart do they lie, and is one of them a mirror image?

Coarse copies are registered rigidly, by SimpleITK alone: seconds where :mod:`~volfuse.registration.stages` takes
minutes, and no ANTs. How well its numbers tell pairs apart: research/2026-11-mirror.md.
"""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from volfuse.registration.similarity import normalised_mutual_information

AS_GOOD = 1.0
"""From this ratio on, see :func:`mirror_ratio`, a volume fits as well mirrored as it does as it is."""
_SIDE = 60  # voxels along the longest side that are enough
_BLACK = 0.1  # air lies on air however a head is turned
_FEWEST = 1000  # voxels to compare
_STEPS = 60


@dataclass(frozen=True)
class Look:
    """How two volumes lie on each other where their files place them.

    Attributes:
        distance: how far a coarse registration moves the head, mean over its voxels, mm.
        gain: what that adds to the mutual information (NMI - 1) of the head, as a share of it.
        mirrored: see :func:`mirror_ratio`.
    """

    distance: float
    gain: float
    mirrored: float


def look(reference: sitk.Image, second: sitk.Image) -> Look | None:
    """Look at two volumes, values 0..1, of at least 8 voxels a side; ``None`` where too little of them overlaps."""
    reference, second = coarse(reference, second)
    still = sitk.Transform(3, sitk.sitkIdentity)
    moved = _rigid(reference, second, still)
    mirrored = _mirrored(reference, second, moved) if moved else None
    if moved is None or mirrored is None:
        return None
    before, after = _shared(reference, second, still, moved)
    if before is None or after is None:
        return None
    as_it_is, as_mirrored = _shared(reference, second, moved, mirrored)
    if not as_it_is or as_mirrored is None:
        return None
    return Look(_distance(reference, moved), after / max(before, 1e-6) - 1, as_mirrored / as_it_is)


def mirror_ratio(reference: sitk.Image, second: sitk.Image, linear: sitk.Transform) -> float | None:
    """Return how much better a volume fits mirrored left to right: the ratio of mutual informations (NMI - 1).

    Both are registered rigidly from where ``linear`` puts the second volume, and compared in the head alone, where both
    have voxels. Heads are not symmetric enough to come near 1: a head as it is stays below, a mirrored one above.

    Args:
        reference: float volume, values 0..1, of at least 8 voxels a side.
        second: the same.
        linear: maps points of ``reference`` to ``second``, mm, LPS.

    Returns:
        ``None`` where too little of the two overlaps to tell.
    """
    reference, second = coarse(reference, second)
    refined = _rigid(reference, second, linear)
    mirrored = _mirrored(reference, second, refined) if refined else None
    if refined is None or mirrored is None:
        return None
    as_it_is, as_mirrored = _shared(reference, second, refined, mirrored)
    return as_mirrored / as_it_is if as_it_is and as_mirrored is not None else None


def coarse(reference: sitk.Image, second: sitk.Image) -> tuple[sitk.Image, sitk.Image]:
    """Return both with voxels that go 60 times along the longest side of the reference, means of those they cover."""
    lengths = [size * own for size, own in zip(reference.GetSize(), reference.GetSpacing(), strict=True)]
    spacing = max(lengths) / _SIDE
    factors = [[max(1, round(spacing / own)) for own in image.GetSpacing()] for image in (reference, second)]
    return sitk.BinShrink(reference, factors[0]), sitk.BinShrink(second, factors[1])


def _rigid(
    reference: sitk.Image, second: sitk.Image, start: sitk.Transform
) -> sitk.CompositeTransform | None:
    """Return ``start`` after the rotation and shift of ``reference`` that shares most; ``None`` if they part."""
    turn = sitk.Euler3DTransform(_center_of_mass(reference), 0, 0, 0)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 0.05, _STEPS, relaxationFactor=0.6)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([2, 1])
    method.SetSmoothingSigmasPerLevel([1, 0])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOff()
    method.SetMovingInitialTransform(start)
    method.SetInitialTransform(turn, True)
    try:
        method.Execute(reference, second)
    except RuntimeError:  # no voxel of one lies in the other
        return None
    return sitk.CompositeTransform([start, turn])


def _mirrored(
    reference: sitk.Image, second: sitk.Image, placed: sitk.Transform
) -> sitk.CompositeTransform | None:
    """Return where the second volume lies best when left and right of it are exchanged."""
    moved = sitk.Resample(second, reference, placed, sitk.sitkLinear, 0.0)
    mirror = sitk.AffineTransform((-1, 0, 0, 0, 1, 0, 0, 0, 1), (0, 0, 0), _center_of_mass(moved))
    return _rigid(reference, second, sitk.CompositeTransform([placed, mirror]))


def _shared(reference: sitk.Image, second: sitk.Image, *transforms: sitk.Transform) -> list[float | None]:
    """Return the mutual information (NMI - 1) under each transform, in the head, where the volume reaches under all."""
    fixed = sitk.GetArrayViewFromImage(reference)
    outside = -1.0
    moved = [
        sitk.GetArrayFromImage(sitk.Resample(second, reference, transform, sitk.sitkLinear, outside))
        for transform in transforms
    ]
    reached = np.logical_and.reduce([values > outside / 2 for values in moved])
    head = reached & np.logical_or.reduce([values > _BLACK for values in (fixed, *moved)])
    if head.sum() < _FEWEST:
        return [None for _ in transforms]
    return [normalised_mutual_information(fixed[head], values[head]) - 1 for values in moved]


def _distance(reference: sitk.Image, moved: sitk.Transform) -> float:
    """Return how far a transform moves the head of ``reference``, mm, mean over some of its voxels."""
    points = np.argwhere(sitk.GetArrayViewFromImage(reference) > _BLACK)[::17, ::-1]
    lengths = []
    for index in points.tolist():
        point = reference.TransformIndexToPhysicalPoint(index)
        lengths.append(np.linalg.norm(np.subtract(moved.TransformPoint(point), point)))
    return float(np.mean(lengths))


def _center_of_mass(image: sitk.Image) -> tuple[float, ...]:
    values = sitk.GetArrayViewFromImage(image)
    weights = [values.sum(axis=tuple(set(range(3)) - {axis})) for axis in (2, 1, 0)]
    index = [float((np.arange(len(each)) * each).sum() / max(each.sum(), 1e-9)) for each in weights]
    center: tuple[float, ...] = image.TransformContinuousIndexToPhysicalPoint(index)
    return center


def mirror_note(second: str, reference: str) -> str:
    """Return what to say of a volume whose :func:`mirror_ratio` is :data:`AS_GOOD` or more."""
    return (
        f"{second} fits {reference} as well or better when its left and right are exchanged; "
        "one of the two may be mirrored: check the sides."
    )
