"""A fused volume that covers its sources up to an edge, which moves across the slice views."""

import numpy as np
import slicer
import slicer.util
import vtk

from SlicerFusionLib.geometry import voxel_directions
from SlicerFusionLib.hidden_volume import hidden_volume

_Side = tuple[int, bool]  # the axis of voxels that runs across a view, and whether from right to left


class Swipe:
    """Cuts a volume so that every slice view shows its left part: slice views show nothing where a volume ends.

    The edge follows the voxels, so it is upright where the slices are those of the volume.
    """

    def __init__(self) -> None:
        self._parts: dict[_Side, slicer.vtkMRMLVolumeNode] = {}

    def cut(
        self, volume: slicer.vtkMRMLVolumeNode, view: slicer.vtkMRMLSliceNode, share: float
    ) -> slicer.vtkMRMLVolumeNode:
        """Return what a slice view is to show: ``volume``, or a hidden volume with its part to the left.

        Args:
            volume: 8-bit grey or RGB.
            view: the slice view; it shows another part if its slices run another way.
            share: from 0, where one layer of voxels is left, to 1 for all.
        """
        if share >= 1:
            return volume
        across = np.array([view.GetSliceToRAS().GetElement(row, 0) for row in range(3)])
        cosines = voxel_directions(volume) @ across
        axis = int(np.abs(cosines).argmax())
        side = axis, bool(cosines[axis] < 0)
        self._parts[side] = _part(volume, side, share, self._parts.get(side))
        return self._parts[side]

    def remove(self) -> None:
        """Take the hidden volumes out of the scene."""
        for part in self._parts.values():
            slicer.mrmlScene.RemoveNode(part)
        self._parts.clear()

    def close_scene(self) -> None:
        """Release the nodes of a scene that closes."""
        self._parts.clear()


def _part(
    volume: slicer.vtkMRMLVolumeNode, side: _Side, share: float, part: slicer.vtkMRMLVolumeNode | None
) -> slicer.vtkMRMLVolumeNode:
    axis, is_backwards = side
    size = volume.GetImageData().GetDimensions()[axis]
    count = max(1, round(share * size))
    first = size - count if is_backwards else 0
    kept = [slice(None)] * 3
    kept[2 - axis] = slice(first, first + count)
    voxels = slicer.util.arrayFromVolume(volume)[tuple(kept)]
    if part is None or part.GetClassName() != volume.GetClassName():
        part = hidden_volume("Swipe", voxels, volume)
    else:
        slicer.util.updateVolumeFromArray(part, voxels)
    start, to_ras = [0.0, 0.0, 0.0, 1.0], vtk.vtkMatrix4x4()
    start[axis] = first
    volume.GetIJKToRASMatrix(to_ras)
    part.SetIJKToRASMatrix(to_ras)
    part.SetOrigin(to_ras.MultiplyPoint(start)[:3])
    part.SetAndObserveTransformNodeID(volume.GetTransformNodeID())
    return part
