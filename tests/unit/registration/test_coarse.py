"""A quick look at phantom heads that were moved by a known shift, or mirrored."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from monai.data import MetaTensor

from tests.conftest import grid
from volfuse.data.phantoms import Contrast, grid_points, head_phantom
from volfuse.imaging import as_image
from volfuse.registration.coarse import AS_GOOD, coarse, look, mirror_ratio
from volfuse.registration.verdict import registered
from volfuse.registration.volumes import luminance

SHAPE = (44, 52, 40)
STILL = sitk.Transform(3, sitk.sitkIdentity)


def head(contrast: Contrast = "mr", shift: float = 0.0, mirrored: bool = False) -> MetaTensor:
    """A head whose file puts it so many mm too far to the left; ``mirrored`` exchanges its voxels, not its header."""
    affine = grid(4.0, 4.0, 4.0, center=SHAPE)
    values = head_phantom(SHAPE, affine, contrast)
    # The phantom is almost symmetric, as no real head is: 25 mm of another tissue at one side.
    away = np.linalg.norm(grid_points(SHAPE, affine) - np.array([40.0, 10.0, 20.0]), axis=-1)
    values = np.where(away < 25.0, np.float32(0.2), values)
    affine[0, 3] -= shift
    return as_image((values[::-1] if mirrored else values, affine), 2)


def seen(second: MetaTensor) -> tuple[float, float]:
    looked = look(luminance(head()), luminance(second))
    return looked.distance, looked.mirrored


def test_a_head_where_it_belongs_is_moved_little_and_fits_worse_mirrored() -> None:
    distance, ratio = seen(head("t2"))
    assert distance < 1.5 and ratio < 0.95


def test_a_shift_is_measured() -> None:
    distance, ratio = seen(head("t2", shift=15.0))
    assert distance == pytest.approx(15.0, abs=1.5) and ratio < 0.95


@pytest.mark.parametrize("shift", [0.0, 12.0])
def test_a_mirrored_head_fits_better_when_it_is_mirrored_again(shift: float) -> None:
    assert seen(head("t2", shift, mirrored=True))[1] > 1.05
    grey = luminance(head("t2", shift, mirrored=True))
    assert mirror_ratio(luminance(head()), grey, STILL) > AS_GOOD


def test_volumes_that_hardly_overlap_are_not_judged() -> None:
    reference, far = luminance(head()), luminance(head(shift=1000.0))
    assert look(reference, far) is None and mirror_ratio(reference, far, STILL) is None


def test_coarse_copies_have_voxels_of_one_size() -> None:
    fine = sitk.Image((240, 120, 20), sitk.sitkFloat32)
    fine.SetSpacing((1.0, 1.0, 6.0))
    other = sitk.Image((30, 30, 30), sitk.sitkFloat32)
    other.SetSpacing((1.3, 2.0, 9.0))
    first, second = coarse(fine, other)
    assert first.GetSpacing() == (4.0, 4.0, 6.0)
    np.testing.assert_allclose(second.GetSpacing(), (3.9, 4.0, 9.0))


def test_the_verdict_names_the_images_and_says_what_it_rests_on() -> None:
    name = "source 2 (an array of 44x52x40)"
    near = registered(head(), head("t2"))
    assert near.registered is True and near.mirrored is False
    assert near.sentence == (
        f"They look registered: a coarse registration moves {name} by 0.0 mm and adds 0% to what they share."
    )
    flipped = registered(head(), head("t2", mirrored=True))
    assert flipped.mirrored is True
    assert flipped.sentence.endswith(
        f" {name} fits {name} as well or better when its left and right are exchanged; "
        "one of the two may be mirrored: check the sides."
    )
    thin = as_image((torch.rand(20, 20, 4), np.eye(4)))
    assert registered(head(), thin).sentence == (
        "Whether they are registered cannot be told: source 1 (a tensor of 20x20x4) has 20x20x4 voxels; registration "
        "needs a volume of at least 8 along each side."
    )
