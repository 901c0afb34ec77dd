import sys

import numpy as np
import pytest
import SimpleITK as sitk

from volfuse.data.displaced import DisplacedPair, displaced_pair
from volfuse.errors import FusionError
from volfuse.registration.stages import align, best_start, linear_part
from volfuse.registration.volumes import luminance


def errors(pair: DisplacedPair, transform: sitk.Transform) -> np.ndarray:
    """Target errors in voxels; the transform is in LPS."""
    flip = np.array([-1.0, -1.0, 1.0])
    return pair.target_errors(
        lambda points: np.array([transform.TransformPoint(p) for p in (points * flip).tolist()]) * flip
    )


@pytest.mark.parametrize(
    ("number", "stages"), [(0, ["rigid"]), (1, ["rigid", "affine"]), (2, ["rigid", "affine", "syn"])]
)
def test_known_motions_are_found(number: int, stages: list[str]) -> None:
    """MR with T2 after a rigid motion, with CT after an affine one, with PET after a smooth one."""
    pytest.importorskip("ants")
    pair = displaced_pair(number, spacing=4.0)
    reference, second = luminance(pair.reference), luminance(pair.second)
    done: list[tuple[int, int]] = []
    found = errors(pair, align(reference, second, stages, progress=lambda *count: done.append(count)))
    assert np.median(found) < 1 and found.max() < 3
    assert done == [(step + 1, len(stages)) for step in range(len(stages))]
    assert np.median(errors(pair, sitk.Transform(3, sitk.sitkIdentity))) > 3


def test_scans_that_do_not_overlap_start_from_their_centres() -> None:
    pair = displaced_pair(0, spacing=6.0)
    reference, second = luminance(pair.reference), luminance(pair.second)
    second.SetOrigin([origin + 400 for origin in second.GetOrigin()])
    assert np.linalg.norm(best_start(reference, second).GetTranslation()) > 600


def test_scans_that_lie_well_start_from_there_though_one_is_cut() -> None:
    """The centre of half a head is not that of a head."""
    pair = displaced_pair(0, spacing=6.0)
    reference = luminance(pair.reference)
    assert best_start(reference, reference[:, :, : reference.GetSize()[2] // 2]).GetTranslation() == (
        0.0,
        0.0,
        0.0,
    )


def test_without_ants_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ants", None)
    pair = displaced_pair(0, spacing=8.0)
    with pytest.raises(FusionError) as raised:
        align(luminance(pair.reference), luminance(pair.second))
    assert str(raised.value) == (
        "ANTs is missing; install it with: pip install 'volfuse[registration]', or give landmarks."
    )


def test_the_linear_part_is_what_the_deformable_stage_began_with() -> None:
    pytest.importorskip("ants")
    pair = displaced_pair(2, spacing=6.0)
    reference, second = luminance(pair.reference), luminance(pair.second)
    turn = sitk.AffineTransform(3)
    turn.Scale((1.05, 0.97, 1.0))
    turn.Translate((3.0, -4.0, 5.0))
    bent = align(reference, second, ["syn"], start=turn)
    np.testing.assert_allclose(
        linear_part(bent).TransformPoint((9, 8, 7)), turn.TransformPoint((9, 8, 7)), atol=1e-3
    )
    assert bent.GetNumberOfTransforms() == 2
