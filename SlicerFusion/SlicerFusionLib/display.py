"""What the user sees of a volume: which values are black and white, and in which colours."""

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

_GREY = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)


def is_color(volume: slicer.vtkMRMLVolumeNode) -> bool:
    """Tell whether the voxels themselves hold 8-bit colour, with or without an alpha channel."""
    image = volume.GetImageData()
    return image.GetNumberOfScalarComponents() in (3, 4) and image.GetScalarType() == vtk.VTK_UNSIGNED_CHAR


def shown_window(volume: slicer.vtkMRMLVolumeNode) -> tuple[float, float]:
    """Return the values shown black and white: 0 and 255 of a colour volume, all values of one never displayed."""
    if is_color(volume):
        return 0.0, 255.0
    if display := volume.GetDisplayNode():
        # A window dragged below zero shows the volume inverted.
        low, high = sorted((display.GetWindowLevelMin(), display.GetWindowLevelMax()))
        return low, high
    return volume.GetImageData().GetScalarRange()


def shown_table(volume: slicer.vtkMRMLVolumeNode) -> np.ndarray | None:
    """Return the lookup table of a volume as :func:`lookup_table` does; ``None`` if its voxels hold colour."""
    display = volume.GetDisplayNode()
    if is_color(volume) or display is None or display.GetColorNode() is None:
        return None
    return lookup_table(display.GetColorNode())


def lookup_table(color_node: slicer.vtkMRMLColorNode) -> np.ndarray | None:
    """Return the colours from black to white of a window as uint8 (256, 3) RGB; ``None`` for a ramp of grey.

    A slice view spreads the whole table over the window, whatever range the colour node names.
    """
    colors = color_node.GetScalarsToColors()
    values = numpy_to_vtk(np.linspace(*colors.GetRange(), 256), deep=True)
    rgba = vtk_to_numpy(colors.MapScalars(values, vtk.VTK_COLOR_MODE_MAP_SCALARS, -1))
    table = rgba[:, :3].copy()
    return None if np.array_equal(table, _GREY) else table
