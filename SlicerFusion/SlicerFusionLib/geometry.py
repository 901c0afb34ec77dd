"""How the voxels of two volumes lie on each other, through the parent transforms of both.

Slicer's own ``ResampleVolumeToReferenceVolume`` ignores the transform of the reference and applies that of the
other volume twice, so the way from one grid to the other is put together here.
"""

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

_SAMPLES_PER_AXIS = 20


def indices_to_frame(
    volume: slicer.vtkMRMLVolumeNode, frame: slicer.vtkMRMLVolumeNode
) -> vtk.vtkMatrix4x4 | None:
    """Return where the voxels of ``volume`` lie in the RAS mm that ``frame`` stores, below its parent transform.

    ``None`` where the transforms between the two are not linear.
    """
    linear = vtk.vtkTransform()
    if not slicer.vtkMRMLTransformNode.IsGeneralTransformLinear(_between_parents(volume, frame), linear):
        return None
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    vtk.vtkMatrix4x4.Multiply4x4(linear.GetMatrix(), matrix, matrix)
    return matrix


def voxels_to_voxels(
    volume: slicer.vtkMRMLVolumeNode, other: slicer.vtkMRMLVolumeNode
) -> vtk.vtkGeneralTransform:
    """Return the transform from voxel indices of ``volume`` to those of ``other``, linear or not."""
    to_ras, to_indices = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(to_ras)
    other.GetRASToIJKMatrix(to_indices)
    transform = vtk.vtkGeneralTransform()
    transform.PostMultiply()
    for step in (to_ras, _between_parents(volume, other), to_indices):
        transform.Concatenate(step)
    return transform


def voxel_directions(volume: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """Return the directions of the three axes of voxels in the world, a unit vector per row, amid the volume."""
    to_ras, middle = vtk.vtkMatrix4x4(), np.array(volume.GetImageData().GetDimensions()) / 2
    volume.GetIJKToRASMatrix(to_ras)
    to_world = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(volume.GetParentTransformNode(), None, to_world)
    to_world.PreMultiply()
    to_world.Concatenate(to_ras)
    center, *ends = (np.array(to_world.TransformPoint(point)) for point in (middle, *(middle + np.eye(3))))
    steps = np.array(ends) - center
    return steps / np.linalg.norm(steps, axis=1, keepdims=True)


def resampled(
    image: vtk.vtkImageData,
    volume: slicer.vtkMRMLVolumeNode,
    reference: slicer.vtkMRMLVolumeNode,
    background: float = 0.0,
) -> vtk.vtkImageData:
    """Return an image on the grid of ``reference``, linearly interpolated.

    Args:
        image: lies where ``volume`` lies: its own image, or one made of it.
        volume: the volume.
        reference: the volume that gives the grid.
        background: the value where ``volume`` has no voxels.

    Returns:
        float32, so that no grey value is rounded; an image of several components keeps its type.
    """
    reslice = vtk.vtkImageReslice()
    reslice.SetInputData(image)
    reslice.SetResliceTransform(voxels_to_voxels(reference, volume))
    reslice.SetOutputOrigin(0, 0, 0)
    reslice.SetOutputSpacing(1, 1, 1)
    reslice.SetOutputExtent(reference.GetImageData().GetExtent())
    reslice.SetInterpolationModeToLinear()
    reslice.SetBackgroundLevel(background)
    if image.GetNumberOfScalarComponents() == 1:
        reslice.SetOutputScalarType(vtk.VTK_FLOAT)
    reslice.Update()
    return reslice.GetOutput()


def overlap(volume: slicer.vtkMRMLVolumeNode, other: slicer.vtkMRMLVolumeNode) -> bool:
    """Tell whether two volumes share a part of space; one under a twentieth of both can be missed."""
    # A thin volume can slip between the samples of a large one, so it is asked both ways.
    return _reaches_into(volume, other) or _reaches_into(other, volume)


def _between_parents(
    volume: slicer.vtkMRMLVolumeNode, other: slicer.vtkMRMLVolumeNode
) -> vtk.vtkGeneralTransform:
    transform = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(
        volume.GetParentTransformNode(), other.GetParentTransformNode(), transform
    )
    return transform


def _reaches_into(volume: slicer.vtkMRMLVolumeNode, other: slicer.vtkMRMLVolumeNode) -> bool:
    size = volume.GetImageData().GetDimensions()
    axes = [np.linspace(0, length - 1, min(length, _SAMPLES_PER_AXIS)) for length in size]
    samples, points = vtk.vtkPoints(), vtk.vtkPoints()
    samples.SetData(numpy_to_vtk(np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 3), deep=True))
    voxels_to_voxels(volume, other).TransformPoints(samples, points)
    indices = vtk_to_numpy(points.GetData())
    last = [length - 0.5 for length in other.GetImageData().GetDimensions()]
    return bool(((indices >= -0.5) & (indices <= last)).all(1).any())
