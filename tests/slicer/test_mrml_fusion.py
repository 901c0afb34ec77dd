"""From volume nodes to a fused volume node, and the same voxels as ``volfuse fuse`` makes of the files."""

import json

import numpy as np
import pytest
import slicer
from typer.testing import CliRunner

from SlicerFusionLib.display import lookup_table
from SlicerFusionLib.request import fusion_request
from SlicerFusionLib.result import Provenance, add_result
from SlicerFusionLib.source import write_sources
from tests.slicer.conftest import affine_of
from volfuse.cli import app
from volfuse.fusion.options import FusionOptions
from volfuse.fusion.pipeline import FusionPipeline
from volfuse.imaging import read_image
from volfuse.jobs import FusionRequest
from volfuse.jobs.fusion import run

PET_HEAT = "vtkMRMLPETProceduralColorNodePET-Heat"
WINDOWS = ((12.5, 200.0), (3.0, 240.0))


@pytest.fixture
def files(mr_file, pet_file, tmp_path):
    """The phantoms on their different grids, as files that hold geometry exactly."""
    return [
        nrrd(read_image(path), tmp_path / f"{path.name.split('.')[0]}.nrrd") for path in (mr_file, pet_file)
    ]


@pytest.fixture
def pair(scene, files):
    """The same files as volumes in the scene, with ``WINDOWS``."""
    volumes = []
    for path, window in zip(files, WINDOWS, strict=True):
        volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", path.stem)
        storage = slicer.vtkMRMLNRRDStorageNode()
        storage.SetFileName(str(path))
        assert storage.ReadData(volume)
        volume.CreateDefaultDisplayNodes()
        volume.GetDisplayNode().SetAutoWindowLevel(False)
        volume.GetDisplayNode().SetWindowLevelMinMax(*window)
        volumes.append(volume)
    return volumes


def nrrd(image, path):
    volume = slicer.vtkMRMLScalarVolumeNode()
    slicer.util.updateVolumeFromArray(volume, image.numpy()[0].T.astype(np.uint8))
    volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(image.affine.numpy()))
    storage = slicer.vtkMRMLNRRDStorageNode()
    storage.SetFileName(str(path))
    assert storage.WriteData(volume)
    return path


def fused_in_scene(pair, folder, model="laplacian", **options):
    """Do what a worker does with the request and put the result into the scene."""
    folder.mkdir()
    request = fusion_request(write_sources(*pair, folder), folder, model, options)
    read = FusionRequest.from_json(json.loads(json.dumps(request.to_json())))
    outcome = run(1, read, lambda event: None, lambda: False)
    return add_result(folder / "fused.nrrd", *pair, Provenance(outcome["model"], "T", outcome["version"]))


def test_a_fusion_of_nodes_gives_the_voxels_that_the_command_gives_for_the_files(pair, files, tmp_path):
    result = fused_in_scene(pair, tmp_path / "job", plane="coronal")
    output = tmp_path / "command.nrrd"
    windows = [argument for low, high in WINDOWS for argument in ("--window", f"{low}:{high}")]
    command = [
        "fuse",
        *map(str, files),
        "-o",
        str(output),
        "--model",
        "laplacian",
        "--plane",
        "coronal",
        *windows,
    ]
    assert CliRunner().invoke(app, command).exit_code == 0
    expected = read_image(output)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(result), expected.numpy()[0].T)
    np.testing.assert_array_equal(affine_of(result), expected.affine.numpy())
    assert np.unique(expected).size > 100


def test_colours_as_displayed_give_the_true_colours_that_the_pipeline_gives_for_the_files(
    scene, pair, files, tmp_path
):
    pair[1].GetDisplayNode().SetAndObserveColorNodeID(PET_HEAT)
    result = slicer.util.arrayFromVolume(fused_in_scene(pair, tmp_path / "job"))
    options = FusionOptions(
        windows=WINDOWS,
        colormaps=[None, lookup_table(scene.GetNodeByID(PET_HEAT))],
    )
    expected = FusionPipeline("laplacian", "cpu").fuse(files, options)
    np.testing.assert_array_equal(result, expected.numpy().T)
    assert (result.max(-1) - result.min(-1).astype(int)).max() > 100  # colourful


def test_registration_moves_the_second_volume_in_the_result(scene, pair, tmp_path):
    """A shift of the second volume by whole voxels of both axes shifts its part of the maximum."""
    before = slicer.util.arrayFromVolume(fused_in_scene([pair[0], pair[0]], tmp_path / "0", model="average"))
    shift = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = np.eye(4)
    matrix[0, 3] = 2 * pair[0].GetSpacing()[0]
    shift.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    moved = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "moved")
    moved.CopyContent(pair[0])
    moved.CreateDefaultDisplayNodes()
    moved.SetAndObserveTransformNodeID(shift.GetID())
    moved.GetDisplayNode().SetAutoWindowLevel(False)
    moved.GetDisplayNode().SetWindowLevelMinMax(*WINDOWS[0])
    after = slicer.util.arrayFromVolume(fused_in_scene([pair[0], moved], tmp_path / "1", model="average"))
    shifted = np.zeros_like(before)
    shifted[..., 2:] = before[..., :-2]
    np.testing.assert_allclose(after, (before.astype(float) + shifted) / 2, atol=1)


def test_the_transform_of_the_reference_changes_where_the_result_is_but_not_its_voxels(scene, pair, tmp_path):
    plain = slicer.util.arrayFromVolume(fused_in_scene(pair, tmp_path / "0")).copy()
    common = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    common.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.diag([1.0, 1.0, -1.0, 1.0])))
    for volume in pair:
        volume.SetAndObserveTransformNodeID(common.GetID())
    result = fused_in_scene(pair, tmp_path / "1")
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(result), plain)
    bounds, expected = np.zeros(6), np.zeros(6)
    result.GetRASBounds(bounds)
    pair[0].GetRASBounds(expected)
    np.testing.assert_array_equal(bounds, expected)


def test_a_request_says_what_the_pipeline_needs_and_nothing_else(add_volume, noise, tmp_path):
    volume = add_volume("MR", noise)
    volume.GetDisplayNode().SetAutoWindowLevel(False)
    volume.GetDisplayNode().SetWindowLevelMinMax(50, 150)
    pet = add_volume("PET", noise)
    pet.GetDisplayNode().SetAndObserveColorNodeID(PET_HEAT)
    sources = write_sources(volume, pet, tmp_path)
    request = fusion_request(
        sources, tmp_path, "pca", {"plane": "sagittal", "batch_size": 4}, device="cuda", metrics=["ssim"]
    )
    read = FusionRequest.from_json(json.loads(json.dumps(request.to_json())))
    assert read.sources == (str(tmp_path / "0" / "MR.nrrd"), str(tmp_path / "1" / "PET.nrrd"))
    assert read.output == str(tmp_path / "fused.nrrd")
    assert (read.model, read.device, read.metrics) == ("pca", "cuda", ("ssim",))
    options = read.options
    assert (options.plane, options.batch_size, options.windows[0]) == ("sagittal", 4, (50.0, 150.0))
    assert options.colormaps[0] is None
    np.testing.assert_array_equal(options.colormaps[1], sources[1].table)
