"""Fields whose value is known at every point of space, through every combination of parent transforms."""

from pathlib import Path

import numpy as np
import pytest
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk

from SlicerFusionLib.checks import reason_not_to_fuse
from SlicerFusionLib.source import write_sources
from tests.conftest import grid, oblique
from tests.slicer.conftest import affine_of
from volfuse.errors import FusionError
from volfuse.imaging import ApplyWindowsd, LoadSourcesd, MatchReferenced, Window

KINDS = ("none", "linear", "non-linear")
REFERENCE_SHAPE, SECOND_SHAPE = (24, 28, 20), (26, 20, 18)
REFERENCE_GRID = oblique(grid(-4.0, 5.0, 7.0, center=REFERENCE_SHAPE), degrees=20)  # left-handed
SECOND_GRID = oblique(grid(5.0, 6.5, 8.0, center=SECOND_SHAPE), degrees=-31)
SLOPE, OFFSET = np.array([1.3, -0.7, 2.1]), 40.0  # of the field that the second volume holds

LINEAR = {
    "reference": np.array([[0.9, -0.3, 0.1, 12], [0.3, 1.1, 0, -8], [0, 0.2, 0.95, 5], [0, 0, 0, 1.0]]),
    "second": np.array([[1.1, 0.2, 0, -9], [-0.25, 0.9, 0.1, 6], [0.1, 0, 1.05, 11], [0, 0, 0, 1.0]]),
}
# Products of two coordinates: trilinear interpolation between the nodes of a displacement grid is exact.
BEND = {"reference": np.array([2.0, -1.5, 1.0]) * 1e-3, "second": np.array([-1.0, 2.5, 1.5]) * 1e-3}


def displacement(points: np.ndarray, role: str) -> np.ndarray:
    x, y, z = points.T
    return np.stack([y * z, x * z, x * y], axis=1) * BEND[role]


def to_world(points: np.ndarray, kind: str, role: str) -> np.ndarray:
    """From below the parent transform to the world; the non-linear one is given the other way round."""
    if kind == "linear":
        return points @ LINEAR[role][:3, :3].T + LINEAR[role][:3, 3]
    world = points
    for _ in range(60 if kind == "non-linear" else 0):
        world = points - displacement(world, role)
    return world


def from_world(points: np.ndarray, kind: str, role: str) -> np.ndarray:
    if kind == "linear":
        return (points - LINEAR[role][:3, 3]) @ np.linalg.inv(LINEAR[role][:3, :3]).T
    return points + displacement(points, role) if kind == "non-linear" else points


def transform_node(scene: slicer.vtkMRMLScene, kind: str, role: str) -> str | None:
    if kind == "none":
        return None
    if kind == "linear":
        node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(LINEAR[role]))
        return node.GetID()
    nodes, spacing = 11, 60.0
    ticks = (np.arange(nodes) - nodes // 2) * spacing
    z, y, x = np.meshgrid(ticks, ticks, ticks, indexing="ij")
    vectors = vtk.vtkImageData()
    vectors.SetDimensions(nodes, nodes, nodes)
    vectors.SetOrigin([ticks[0]] * 3)
    vectors.SetSpacing([spacing] * 3)
    points = np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1)
    vectors.GetPointData().SetScalars(numpy_to_vtk(displacement(points, role), deep=True))
    transform = slicer.vtkOrientedGridTransform()
    transform.SetDisplacementGridData(vectors)
    node = scene.AddNewNodeByClass("vtkMRMLGridTransformNode")
    node.SetAndObserveTransformFromParent(transform)
    return node.GetID()


def voxel_positions(shape: tuple[int, int, int], affine: np.ndarray) -> np.ndarray:
    """Return RAS mm of every voxel, (n, 3), the first axis fastest."""
    k, j, i = np.indices(shape[::-1]).reshape(3, -1)
    return np.stack([i, j, k], axis=1) @ affine[:3, :3].T + affine[:3, 3]


@pytest.mark.parametrize("second_kind", KINDS)
@pytest.mark.parametrize("reference_kind", KINDS)
def test_the_pipeline_sees_the_second_volume_where_it_is_in_the_world(
    scene, add_volume, tmp_path, reference_kind, second_kind
):
    second_points = voxel_positions(SECOND_SHAPE, SECOND_GRID)
    field = (second_points @ SLOPE + OFFSET).reshape(SECOND_SHAPE[::-1])
    noise = np.random.default_rng(0).normal(size=REFERENCE_SHAPE[::-1])
    reference = add_volume("reference", noise.astype(np.float32), REFERENCE_GRID)
    second = add_volume("second", field.astype(np.float32), SECOND_GRID)
    reference.SetAndObserveTransformNodeID(transform_node(scene, reference_kind, "reference"))
    second.SetAndObserveTransformNodeID(transform_node(scene, second_kind, "second"))
    assert reason_not_to_fuse(reference, second) == ""

    low, high = float(field.min()), float(field.max())
    sampled = seen_by_pipeline(write_sources(reference, second, tmp_path), low, high)

    reference_points = voxel_positions(REFERENCE_SHAPE, REFERENCE_GRID)
    world = to_world(reference_points, reference_kind, "reference")
    below = from_world(world, second_kind, "second")
    expected = (below @ SLOPE + OFFSET - low) / (high - low)
    index = (below - SECOND_GRID[:3, 3]) @ np.linalg.inv(SECOND_GRID[:3, :3]).T
    last = np.array(SECOND_SHAPE) - 1
    inside = ((index >= 0.01) & (index <= last - 0.01)).all(1)
    outside = ((index < -1) | (index > last + 1)).any(1)
    assert inside.sum() > 2000
    assert outside.sum() > 500
    assert np.abs(sampled - expected)[inside].max() < 1e-3
    assert sampled[outside].max() <= 0  # black


def seen_by_pipeline(sources, low: float, high: float) -> np.ndarray:
    """Return the second source on the grid of the first, its field 0..1, in the order of ``voxel_positions``."""
    case = LoadSourcesd(["0", "1"])({"0": sources[0].file, "1": sources[1].file})
    case = ApplyWindowsd(["0", "1"], ["auto", Window.parse(f"{low:.6f}:{high:.6f}")])(case)
    return MatchReferenced(["0", "1"])(case)["1"].numpy()[0].ravel(order="F")


def test_volumes_under_one_non_linear_transform_are_not_resampled(scene, add_volume, noise, tmp_path):
    transform = transform_node(scene, "non-linear", "second")
    reference, second = add_volume("reference", noise), add_volume("second", noise[:5, :4, :3])
    for volume in (reference, second):
        volume.SetAndObserveTransformNodeID(transform)
    _, source = write_sources(reference, second, tmp_path)
    assert LoadSourcesd("1")({"1": source.file})["1"].shape == (1, 3, 4, 5)


def test_a_file_holds_geometry_and_voxels_bit_for_bit(add_volume, tmp_path):
    voxels = np.random.default_rng(1).integers(-1024, 3000, (5, 6, 7)).astype(np.int16)
    affine = oblique(np.diag([-0.7123456789, 0.8, 2.3, 1])) + np.pad(
        [[101.123456789], [-55.3], [12.1]], ((0, 1), (3, 0))
    )
    volume = add_volume("CT", voxels, affine)
    read = LoadSourcesd("0")({"0": write_sources(volume, volume, tmp_path)[0].file})["0"]
    np.testing.assert_array_equal(read.affine.numpy(), affine_of(volume))
    np.testing.assert_array_equal(read.numpy()[0], voxels.T)


def test_grey_values_are_not_rounded_by_a_non_linear_transform(scene, add_volume, noise, tmp_path):
    steps = np.zeros((6, 7, 8), np.int16)
    steps[:, :, 4:] = 1000
    bent_here = grid(2.0, 2.0, 2.0, center=(80, 80, 80))
    reference, second = add_volume("reference", noise, bent_here), add_volume("second", steps, bent_here)
    second.SetAndObserveTransformNodeID(transform_node(scene, "non-linear", "second"))
    voxels = LoadSourcesd("1")({"1": write_sources(reference, second, tmp_path)[1].file})["1"].numpy()
    assert np.abs(voxels - np.rint(voxels)).max() > 0.1


def test_outside_a_colour_volume_is_black(scene, add_volume, noise, tmp_path):
    reference = add_volume("reference", noise)
    second = add_volume(
        "RGB",
        np.full((6, 7, 3, 3), 200, np.uint8) - 50 * (np.arange(3) == 1).astype(np.uint8),
        kind="vtkMRMLVectorVolumeNode",
    )
    second.SetAndObserveTransformNodeID(transform_node(scene, "non-linear", "second"))
    voxels = LoadSourcesd("1")({"1": write_sources(reference, second, tmp_path)[1].file})["1"].numpy()
    assert voxels.shape == (3, 8, 7, 6)
    np.testing.assert_array_equal(voxels[:, 0, 3, 3], [200, 150, 200])
    np.testing.assert_array_equal(voxels[:, 6, 3, 3], [0, 0, 0])


def test_sources_are_written_nowhere_but_into_the_folder_and_add_no_nodes(scene, add_volume, noise, tmp_path):
    reference, second = add_volume("MR: T1/a", noise), add_volume("Größe", noise)
    nodes = scene.GetNumberOfNodes()
    sources = write_sources(reference, second, tmp_path)
    assert scene.GetNumberOfNodes() == nodes
    assert [source.file for source in sources] == [
        Path(tmp_path, "0", "MR_ T1_a.nrrd"),
        Path(tmp_path, "1", "Gr_e.nrrd"),
    ]
    assert all(source.file.is_file() for source in sources)


def test_a_file_that_cannot_be_written_is_one_sentence(add_volume, noise, tmp_path):
    volume = add_volume("MR", noise)
    (tmp_path / "1" / "MR.nrrd").mkdir(parents=True)
    with pytest.raises(FusionError) as error:
        write_sources(volume, volume, tmp_path)
    expected = f"MR could not be written to {tmp_path / '1'}; check that the disk has free space."
    assert str(error.value) == expected
