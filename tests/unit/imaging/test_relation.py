"""How two images lie on each other, in numbers that follow from their grids, and what is told about it."""

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from tests.conftest import grid
from volfuse.imaging.relation import relate
from volfuse.imaging.stored import About

SHAPE = (20, 20, 20)


def scan(
    name: str, shift: float = 0.0, spacing: float = 2.0, frame: str = "", placed: bool = True
) -> MetaTensor:
    """A cube of 20 voxels a side, moved along x by so many mm."""
    affine = grid(spacing, spacing, spacing, center=SHAPE)
    affine[0, 3] += shift
    meta = {
        "affine": torch.from_numpy(affine),
        "filename_or_obj": f"/scans/{name}",
        "has_geometry": placed,
        "about": About(frame_of_reference=frame).to_meta(),
    }
    return MetaTensor(torch.zeros(1, *SHAPE), meta=meta)


def test_images_on_one_grid_cover_each_other_and_nothing_is_told() -> None:
    relation = relate(scan("a.nii"), scan("b.nii"))
    assert (relation.same_grid, relation.covered, relation.inside, relation.same_frame) == (True, 1, 1, None)
    assert relation.notes == ()


@pytest.mark.parametrize(
    ("shift", "spacing", "covered", "inside", "notes"),
    [
        (0.0, 4.0, 1.0, 0.125, ["pet.nii is resampled onto the grid of mr.nii."]),
        (10.0, 2.0, 0.75, 0.75, ["pet.nii is resampled onto the grid of mr.nii and covers 75% of it."]),
        (
            30.0,
            2.0,
            0.25,
            0.25,
            [
                "pet.nii is resampled onto the grid of mr.nii and covers 25% of it.",
                "pet.nii and mr.nii overlap little (25% of the first, 25% of the second); check their positions, "
                "or register them first.",
            ],
        ),
    ],
)
def test_overlap_is_told_both_ways(
    shift: float, spacing: float, covered: float, inside: float, notes: list[str]
) -> None:
    relation = relate(scan("pet.nii", shift, spacing), scan("mr.nii"))
    assert relation.covered == pytest.approx(covered) and relation.inside == pytest.approx(inside, abs=0.05)
    assert list(relation.notes) == notes


def test_frames_of_reference_are_compared_where_both_are_known() -> None:
    same, other, unknown = (
        relate(scan("ct.nii", frame=frame), scan("mr.nii", frame="1.2.3")) for frame in ("1.2.3", "1.2.4", "")
    )
    assert (same.same_frame, other.same_frame, unknown.same_frame) == (True, False, None)
    assert same.notes == unknown.notes == ()
    assert other.notes == (
        "ct.nii and mr.nii have different frames of reference; their positions agree only if they were registered.",
    )


def test_a_picture_beside_a_volume_is_told() -> None:
    relation = relate(scan("a.png", 30.0, placed=False), scan("b.nii"))
    assert relation.same_grid and relation.notes == (
        "Only one of b.nii and a.png has a position in space; they are taken to lie on each other.",
    )
    assert relate(scan("a.png", placed=False), scan("b.png", 5.0, placed=False)).notes == ()


def test_one_voxel_more_is_another_grid() -> None:
    reference = scan("b.nii")
    larger = MetaTensor(torch.zeros(1, 21, 20, 20), meta=dict(scan("a.nii").meta))
    assert not relate(larger, reference).same_size and not relate(larger, reference).same_grid
    assert np.isclose(relate(larger, reference).covered, 1)
