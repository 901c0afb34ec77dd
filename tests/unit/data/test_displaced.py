import numpy as np
import pytest

from volfuse.data.displaced import displaced_pair
from volfuse.data.phantoms import grid_points, head_phantom, head_values


def sample(image, points: np.ndarray) -> np.ndarray:
    """Values (P,) 0..1 of the voxels nearest to points in RAS mm; NaN outside."""
    inverse = np.linalg.inv(image.affine.numpy())
    index = np.rint(points @ inverse[:3, :3].T + inverse[:3, 3]).astype(int)
    inside = ((index >= 0) & (index < image.shape[1:])).all(1)
    values = np.full(len(points), np.nan)
    values[inside] = image.numpy()[0][tuple(index[inside].T)] / 255
    return values


@pytest.mark.parametrize("number", [0, 1, 2])
def test_targets_lie_on_the_same_tissue_in_both_scans(number: int) -> None:
    """Number 0 moves rigidly, 1 as an affine map, 2 smoothly."""
    pair = displaced_pair(number, spacing=3.0)
    reference, second = (("mr", "t2"), ("mr", "ct"), ("mr", "pet"))[number]
    there = np.abs(sample(pair.reference, pair.targets) - head_values(pair.targets, reference, number))
    assert np.nanmedian(there) < 0.03
    difference = np.abs(sample(pair.second, pair.moved) - head_values(pair.targets, second, number))
    assert np.nanmedian(difference) < 0.03
    assert np.isnan(difference).mean() < 0.2
    unmoved = np.abs(sample(pair.second, pair.targets) - head_values(pair.targets, second, number))
    assert np.nanmean(unmoved) > 2 * np.nanmean(difference)


def test_errors_are_counted_in_voxels_of_the_fixed_scan() -> None:
    pair = displaced_pair(0, spacing=4.0)
    errors = pair.target_errors(lambda points: pair.moved + np.array([0, 0, 6.0]))
    np.testing.assert_allclose(errors, 1.5)


def test_a_rigid_motion_keeps_distances_and_the_others_do_not() -> None:
    def stretch(number: int) -> float:
        pair = displaced_pair(number, spacing=8.0)
        distances = [
            np.linalg.norm(points[1:] - points[:-1], axis=1) for points in (pair.targets, pair.moved)
        ]
        return float(np.abs(distances[1] / distances[0] - 1).max())

    assert stretch(0) < 1e-9
    assert stretch(1) > 0.02
    assert stretch(2) > 0.02


def test_another_subject_has_another_head() -> None:
    """Other than by noise, and not by its place: centre and size of the head stay within a few millimetres."""
    affine = np.diag([4.0, 4, 4, 1])
    affine[:3, 3] = (-82, -102, -86)
    points = grid_points((42, 52, 44), affine)
    first, second = (head_values(points, "mr", subject) for subject in (1, 2))
    heads = [points[image > 0.1] for image in (first, second)]
    assert np.abs(heads[0].mean(0) - heads[1].mean(0)).max() < 8
    assert len(heads[0]) == pytest.approx(len(heads[1]), rel=0.15)
    assert np.abs(first - second)[first > 0.1].mean() > 0.05


def test_the_plain_head_has_no_face() -> None:
    affine = np.diag([4.0, 4, 4, 1])
    affine[:3, 3] = (-74, -94, -78)
    plain = head_phantom((38, 48, 40), affine, "mr")
    np.testing.assert_array_equal(plain, head_values(grid_points((38, 48, 40), affine), "mr"))
    assert np.abs(plain - head_values(grid_points((38, 48, 40), affine), "mr", 1)).max() > 0.3
