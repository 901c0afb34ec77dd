import math

import numpy as np
import pytest
import SimpleITK as sitk

from tests.conftest import grid
from volfuse.data.phantoms import Contrast, head_phantom
from volfuse.registration.similarity import Similarity, normalised_mutual_information, similarity

SHAPE = (40, 48, 40)
AFFINE = grid(4.0, 4.0, 4.0, center=SHAPE)
EVERYWHERE = sitk.Image(SHAPE, sitk.sitkUInt8) + 1


def head(contrast: Contrast, shift: float = 0.0) -> sitk.Image:
    affine = AFFINE.copy()
    affine[0, 3] += shift
    return sitk.GetImageFromArray(head_phantom(SHAPE, affine, contrast).T)


def test_mutual_information_of_known_tables() -> None:
    coin, other = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.0, 1.0, 0.0, 1.0])
    assert normalised_mutual_information(coin, coin) == pytest.approx(2)
    assert normalised_mutual_information(coin, 1 - coin) == pytest.approx(2)
    assert normalised_mutual_information(coin, other) == pytest.approx(1)
    # One of four differs: H = 1, 0.8113 and 1.5 bits.
    assert normalised_mutual_information(coin, np.array([0.0, 0, 0, 1])) == pytest.approx(
        1.8113 / 1.5, abs=1e-4
    )
    assert normalised_mutual_information(coin * 0, coin * 0) == 1


def test_an_image_is_most_like_itself() -> None:
    same = similarity(head("mr"), head("mr"), EVERYWHERE)
    assert (same.ssim, same.ncc, same.nmi, same.edges) == pytest.approx((1, 1, 2, 1))


def test_contrast_fools_ncc_but_not_mutual_information_and_edges() -> None:
    """A negative lies perfectly on its original."""
    negative = similarity(head("mr"), 1 - head("mr"), EVERYWHERE)
    assert negative.ncc == pytest.approx(-1, abs=1e-6)
    assert negative.edges == pytest.approx(1, abs=1e-6)
    assert negative.nmi > 1.9


@pytest.mark.parametrize("contrast", ["mr", "t2", "ct", "pet"])
def test_mutual_information_and_edges_fall_with_distance(contrast: Contrast) -> None:
    measured = [similarity(head("mr"), head(contrast, shift), EVERYWHERE) for shift in (0.0, 6.0, 16.0)]
    assert measured[0].nmi > measured[1].nmi > measured[2].nmi
    assert measured[0].edges > measured[1].edges > measured[2].edges


def test_only_the_overlap_counts() -> None:
    reference = head("mr")
    broken, inside = sitk.GetArrayFromImage(reference), np.ones(SHAPE[::-1], np.uint8)
    broken[:12], inside[:14] = 0.5, 0  # the gradient looks two voxels further
    measured = similarity(reference, sitk.GetImageFromArray(broken), sitk.GetImageFromArray(inside))
    assert measured.ncc == pytest.approx(1) and measured.nmi == pytest.approx(2)
    assert measured.edges > 0.98 and measured.ssim < 0.95


def test_nothing_in_common_is_unlike() -> None:
    nowhere = similarity(head("mr"), head("mr") * 0, EVERYWHERE * 0)
    assert nowhere == Similarity(ssim=0, ncc=0, nmi=1, edges=0)
    assert math.isfinite(similarity(head("mr"), head("mr") * 0, EVERYWHERE).edges)
