import numpy as np
import pytest
import SimpleITK as sitk

from volfuse.data.displaced import displaced_pair
from volfuse.registration.gate import (
    BENDING_LIMIT,
    BENT_LIMIT,
    Doubt,
    bending_gain,
    doubt_of_landmarks,
    doubt_of_stages,
    largest_stretch,
)
from volfuse.registration.similarity import Similarity
from volfuse.registration.stages import align, linear_part
from volfuse.registration.volumes import luminance

STILL = sitk.AffineTransform(3)
LINEAR, DEFORMABLE = ("rigid", "affine"), ("rigid", "affine", "syn")


def measured(nmi: float) -> Similarity:
    return Similarity(ssim=0.5, ncc=0.5, nmi=nmi, edges=0.5)


def scaled(*factors: float) -> sitk.AffineTransform:
    """Scales along axes that are not those of the grid."""
    turn, back = (sitk.VersorRigid3DTransform() for _ in range(2))
    turn.SetRotation((1.0, 2.0, -1.0), 0.7)
    back.SetRotation((1.0, 2.0, -1.0), -0.2)
    first, second = (np.reshape(rotation.GetMatrix(), (3, 3)) for rotation in (turn, back))
    transform = sitk.AffineTransform(3)
    transform.SetMatrix((first @ np.diag(factors) @ second).ravel().tolist())
    return transform


def test_bending_adds_little_to_one_head_and_much_to_two() -> None:
    """MR with PET, which are least alike."""
    pytest.importorskip("ants")
    gains = []
    for subject in (6, 1006):
        pair = displaced_pair(6, subject=subject, spacing=4.0)
        reference, second = luminance(pair.reference), luminance(pair.second)
        gains.append(bending_gain(reference, second, linear_part(align(reference, second))))
    assert gains[0] < BENDING_LIMIT / 2 and gains[1] > 1.2 * BENDING_LIMIT


def test_bending_adds_much_to_a_head_in_the_wrong_place() -> None:
    pytest.importorskip("ants")
    reference = luminance(displaced_pair(0, spacing=4.0).reference)
    assert bending_gain(reference, reference, STILL) < 0.01
    assert (
        bending_gain(reference, reference, sitk.Euler3DTransform((0, 0, 0), 0, 0, 0, (12.0, 0, 0)))
        > BENT_LIMIT
    )


def test_the_largest_stretch_is_that_furthest_from_one_in_any_direction() -> None:
    assert largest_stretch(scaled(1.1, 0.95, 1.0)) == pytest.approx(1.1)
    assert largest_stretch(scaled(1.1, 0.9, 1.0)) == pytest.approx(0.9)
    assert largest_stretch(sitk.Euler3DTransform((0, 0, 0), 1, 2, 3)) == pytest.approx(1)


def test_a_patient_that_shrinks_is_refused_whatever_bending_adds() -> None:
    assert doubt_of_stages(LINEAR, scaled(1.0, 0.85, 1.2), 0.0) is None
    for factors, told in (((1.0, 0.48, 1.2), "0.48"), ((1.3, 0.9, 1.0), "1.30")):
        assert doubt_of_stages(LINEAR, scaled(*factors), 0.0) == Doubt(
            f"the affine stage changes lengths by a factor of {told}",
            "leave that stage out or give landmarks",
            is_serious=True,
        )


def test_a_patient_whose_shape_changed_may_be_bent_further() -> None:
    assert doubt_of_stages(LINEAR, STILL, -0.02) is None
    assert doubt_of_stages(LINEAR, STILL, BENDING_LIMIT) is None
    for stages, gain, told, is_serious in (
        (LINEAR, 0.13, "13%", True), (DEFORMABLE, 0.13, "13%", False), (DEFORMABLE, 0.31, "31%", True),
    ):  # fmt: skip
        assert doubt_of_stages(stages, STILL, gain) == Doubt(
            f"bending it would add {told} to their mutual information",
            "the stage syn or landmarks may help",
            is_serious,
        )


def test_landmarks_are_doubted_if_they_make_it_worse() -> None:
    assert doubt_of_landmarks(measured(1.2), measured(1.3)) is None
    assert doubt_of_landmarks(measured(1.2), measured(1.19)) is None  # interpolation costs some
    assert doubt_of_landmarks(measured(1.2), measured(1.15)) == Doubt(
        "their mutual information fell (NMI 1.20 before, 1.15 now)",
        "check that the landmarks mark the same places",
        is_serious=False,
    )
