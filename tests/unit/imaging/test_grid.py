from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import Orientation

from tests.conftest import grid, oblique
from volfuse.errors import FusionError
from volfuse.imaging import LoadSourcesd, MatchReferenced, OrientSlicesd, RestoreGridd
from volfuse.imaging.relation import overlap_fraction


def field(world: np.ndarray) -> np.ndarray:
    """A function that linear interpolation reproduces exactly."""
    return 0.5 + world @ np.array([0.002, -0.003, 0.004])


def scan(
    shape: tuple[int, int, int], affine: np.ndarray, function: Callable = field, **meta: object
) -> MetaTensor:
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    values = function(index @ affine[:3, :3].T + affine[:3, 3])
    meta = {
        "affine": torch.from_numpy(affine),
        "original_affine": affine.copy(),
        "space": "RAS",
        "filename_or_obj": "scan.nii.gz",
        "has_geometry": True,
    } | meta
    return MetaTensor(torch.from_numpy(values.astype("f"))[None], meta=meta)


REFERENCES = {
    "axis-aligned": grid(2.0, 2.0, 3.0, center=(20, 24, 16)),
    "anisotropic and oblique": oblique(grid(1.5, 2.0, 4.0, center=(20, 24, 16)), 20),
    "swapped axes": grid(2.0, 2.0, 3.0, center=(20, 24, 16))[:, [2, 0, 1, 3]],
    "left-handed": grid(2.0, 2.0, 3.0, center=(20, 24, 16)) @ np.diag([-1.0, 1, 1, 1]),
}


@pytest.mark.parametrize("affine", REFERENCES.values(), ids=REFERENCES.keys())
def test_resampling_reproduces_a_linear_field(affine: np.ndarray) -> None:
    reference = scan((20, 24, 16), affine)
    source = scan((60, 62, 64), oblique(grid(2.1, 2.3, 2.2, center=(60, 62, 64)), 8))
    matched = MatchReferenced(["a", "b"])({"a": reference, "b": source})["b"]
    inside = overlap_fraction(source, reference)
    assert inside == 1
    torch.testing.assert_close(matched.as_tensor(), reference.as_tensor(), rtol=0, atol=2e-5)


def test_outside_the_field_of_view_is_black() -> None:
    affine = grid(2.0, 2.0, 2.0, center=(10, 10, 10))
    shifted = affine.copy()
    shifted[0, 3] += 10
    ones = scan((10, 10, 10), shifted, lambda world: np.ones(world.shape[:-1]))
    reference = scan((10, 10, 10), affine)
    matched = MatchReferenced(["a", "b"])({"a": reference, "b": ones})["b"]
    torch.testing.assert_close(
        matched[0, :, 0, 0].as_tensor(), torch.tensor([0.0] * 5 + [1.0] * 5), rtol=0, atol=1e-5
    )
    assert overlap_fraction(ones, reference) == 0.5


def test_a_source_on_the_same_grid_keeps_its_voxels() -> None:
    affine = oblique(grid(2.0, 2.0, 3.0, center=(8, 9, 10)))
    noise = scan((8, 9, 10), affine, lambda world: np.random.default_rng(0).normal(size=world.shape[:-1]))
    matched = MatchReferenced(["a", "b"])({"a": scan((8, 9, 10), affine), "b": noise})["b"]
    assert torch.equal(matched.as_tensor(), noise.as_tensor()) and torch.equal(matched.affine, noise.affine)


def test_scans_that_do_not_overlap_are_refused() -> None:
    affine = grid(2.0, 2.0, 2.0, center=(10, 10, 10))
    far = affine.copy()
    far[2, 3] += 500
    data = {"a": scan((10, 10, 10), affine), "b": scan((10, 10, 10), far)}
    with pytest.raises(FusionError, match="do not overlap in space; they need to be registered first"):
        MatchReferenced(["a", "b"])(data)


def test_a_single_slice_anywhere_in_a_large_reference_overlaps() -> None:
    reference = scan((100, 100, 101), grid(1.0, 1.0, 1.0, center=(100, 100, 101)))
    affine = grid(1.0, 1.0, 1.0, center=(100, 100, 1))
    affine[2, 3] = 7.3
    one_slice = scan((100, 100, 1), affine)
    matched = MatchReferenced(["a", "b"])({"a": reference, "b": one_slice})["b"]
    assert sorted(set(matched[0].nonzero()[:, 2].tolist())) == [57, 58]


def test_pictures_of_different_sizes_are_never_stretched() -> None:
    data = {
        "a": scan((8, 8, 1), np.eye(4), has_geometry=False),
        "b": scan((8, 9, 1), np.eye(4), has_geometry=False),
    }
    with pytest.raises(FusionError, match="have different sizes and at least one of them has no position"):
        MatchReferenced(["a", "b"])(data)


def test_rows_go_back_and_columns_left_as_a_radiologist_reads() -> None:
    affine = grid(1.0, 1.0, 1.0, center=(4, 5, 6))
    axes = {"axial": (-1, -1, 1), "coronal": (-1, -1, -1), "sagittal": (-1, -1, -1)}
    world_axis = {"axial": (1, 0, 2), "coronal": (2, 0, 1), "sagittal": (2, 1, 0)}
    for plane, signs in axes.items():
        turned = OrientSlicesd("a", plane)({"a": scan((4, 5, 6), affine)})["a"]
        for column, (sign, axis) in enumerate(zip(signs, world_axis[plane], strict=True)):
            assert turned.affine[axis, column] == sign


@pytest.mark.parametrize("codes", ["RAS", "LPS", "SAR", "PIR", "ALI"])
@pytest.mark.parametrize("plane", ["axial", "coronal", "sagittal"])
def test_the_way_back_restores_storage_and_affine_exactly(codes: str, plane: str) -> None:
    stored = Orientation(codes, labels=None)(
        scan((4, 5, 6), oblique(grid(1.1, 0.7, 3.3, center=(4, 5, 6)), 9))
    )
    stored = MetaTensor(
        stored.as_tensor(), meta=dict(stored.meta) | {"original_affine": stored.affine.numpy()}
    )
    turned = OrientSlicesd("a", plane)({"a": stored})
    restored = RestoreGridd("a")(turned)["a"]
    assert torch.equal(restored.as_tensor(), stored.as_tensor())
    assert torch.equal(restored.affine, stored.affine)


def test_unknown_planes_are_refused() -> None:
    with pytest.raises(
        FusionError, match=r"^'transverse' is no slice plane; use axial, coronal, sagittal\.$"
    ):
        OrientSlicesd("a", "transverse")


def test_real_scans_of_one_patient_match(shared_data: Path) -> None:
    folder = shared_data / "volumes" / "unregistered_t1_t2"
    case = LoadSourcesd(["t1", "t2"])({"t1": folder / "t1.nii.gz", "t2": folder / "t2.nii.gz"})
    matched = MatchReferenced(["t1", "t2"])(case)
    assert matched["t2"].shape == case["t1"].shape
    assert overlap_fraction(case["t2"], case["t1"]) > 0.7
    # Head against air, two contrasts of one head: the same voxels are bright.
    heads = [image.as_tensor() > image.as_tensor().float().mean() for image in (matched["t1"], matched["t2"])]
    assert (heads[0] & heads[1]).sum() / (heads[0] | heads[1]).sum() > 0.6
