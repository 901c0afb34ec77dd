"""Volumes for the slice views alone."""

import numpy as np
import slicer
import slicer.util


def hidden_volume(
    name: str, voxels: np.ndarray, reference: slicer.vtkMRMLVolumeNode
) -> slicer.vtkMRMLScalarVolumeNode:
    """Return a volume that no selector lists and no scene saves, on the grid of ``reference``.

    Args:
        name: its name.
        voxels: uint8 (Z, Y, X) or RGB (Z, Y, X, 3), shown with exactly these values.
        reference: where it is, with its parent transform.
    """
    if voxels.ndim == 4:
        volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", name)
        volume.SetVoxelVectorType(volume.VoxelVectorTypeColorRGB)
    else:
        volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    volume.HideFromEditorsOn()
    volume.SaveWithSceneOff()
    volume.CopyOrientation(reference)
    volume.SetAndObserveTransformNodeID(reference.GetTransformNodeID())
    slicer.util.updateVolumeFromArray(volume, voxels)
    volume.CreateDefaultDisplayNodes()
    volume.GetDisplayNode().SetAutoWindowLevel(False)
    volume.GetDisplayNode().SetWindowLevelMinMax(0, 255)
    return volume
