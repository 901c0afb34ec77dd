"""Tests on real MRML: the wheels of slicer-core carry Slicer's C++ without its application."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

EXTENSION = Path(__file__).parents[2]
sys.path.insert(0, str(EXTENSION / "SlicerFusion"))

HAS_SLICER = importlib.util.find_spec("slicer") is not None
if HAS_SLICER:
    import slicer
    import slicer.util
    import vtk
else:  # test_extension.py says so
    collect_ignore_glob = ["panel", "test_mrml_*.py"]


@pytest.fixture
def scene() -> "Iterator[slicer.vtkMRMLScene]":
    """A scene with Slicer's colour tables."""
    scene = slicer.mrmlScene = slicer.vtkMRMLScene()
    colors = slicer.vtkMRMLColorLogic()
    colors.SetMRMLScene(scene)
    yield scene
    colors.SetMRMLScene(None)
    scene.Clear(True)


@pytest.fixture
def add_volume(scene: "slicer.vtkMRMLScene") -> "Callable[..., slicer.vtkMRMLScalarVolumeNode]":
    """Add a displayed volume: ``voxels`` (Z, Y, X) or (Z, Y, X, components), ``affine`` from indices to RAS mm."""

    def add(
        name: str,
        voxels: np.ndarray,
        affine: np.ndarray | None = None,
        kind: str = "vtkMRMLScalarVolumeNode",
    ) -> slicer.vtkMRMLScalarVolumeNode:
        volume = scene.AddNewNodeByClass(kind, name)
        slicer.util.updateVolumeFromArray(volume, voxels)
        volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(np.eye(4) if affine is None else affine))
        volume.CreateDefaultDisplayNodes()
        return volume

    return add


@pytest.fixture
def noise() -> np.ndarray:
    """Voxels (6, 7, 8) that nothing is wrong with."""
    return np.random.default_rng(0).normal(100, 20, (6, 7, 8)).astype(np.float32)


def displayed(volume: "slicer.vtkMRMLVolumeNode") -> np.ndarray:
    """Return what slice views draw of a volume, uint8 (Z, Y, X, 3), as its display node makes it."""
    connection = volume.GetDisplayNode().GetOutputImageDataConnection()
    connection.GetProducer().Update()
    image = connection.GetProducer().GetOutputDataObject(connection.GetIndex())
    scalars = vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars())
    return scalars.reshape(*image.GetDimensions()[::-1], -1)[..., :3]


def affine_of(volume: "slicer.vtkMRMLVolumeNode") -> np.ndarray:
    """Return from voxel indices to RAS mm, below the parent transform."""
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)
