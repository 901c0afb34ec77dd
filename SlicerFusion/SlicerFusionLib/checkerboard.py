"""Two volumes in alternating blocks, to see whether they are aligned."""

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from SlicerFusionLib.geometry import resampled
from SlicerFusionLib.hidden_volume import hidden_volume

_BLOCKS = 8  # along the longest axis


def checkerboard(
    reference: slicer.vtkMRMLVolumeNode, second: slicer.vtkMRMLVolumeNode
) -> slicer.vtkMRMLVectorVolumeNode:
    """Return a hidden colour volume on the grid of ``reference`` with both volumes as they are displayed.

    Where ``second`` has no voxels, its blocks are black. The node is not saved with the scene.
    """
    colors = _colors(_displayed(reference))
    others = _colors(resampled(_displayed(second), second, reference))
    slices, rows, columns = np.indices(colors.shape[:3], sparse=True)
    edge = max(1, round(max(colors.shape[:3]) / _BLOCKS))
    is_other = (slices // edge + rows // edge + columns // edge) % 2 == 1
    return hidden_volume("Checkerboard", np.where(is_other[..., None], others, colors), reference)


def _displayed(volume: slicer.vtkMRMLVolumeNode) -> vtk.vtkImageData:
    """Return the volume through its window and colour table: 8-bit RGBA."""
    volume.CreateDefaultDisplayNodes()
    connection = volume.GetDisplayNode().GetOutputImageDataConnection()
    connection.GetProducer().Update()
    return connection.GetProducer().GetOutputDataObject(connection.GetIndex())


def _colors(image: vtk.vtkImageData) -> np.ndarray:
    columns, rows, slices = image.GetDimensions()
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(slices, rows, columns, -1)[..., :3]
