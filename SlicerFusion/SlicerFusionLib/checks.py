"""Why two volumes cannot be fused, in one sentence; quick enough to ask at every click."""

import numpy as np
import slicer
from slicer.util import arrayFromVolume

from SlicerFusionLib import display, geometry


def reason_not_to_fuse(
    reference: slicer.vtkMRMLVolumeNode | None, second: slicer.vtkMRMLVolumeNode | None
) -> str:
    """Return why two volumes cannot be fused and what to do about it; empty if they can."""
    if reference is None:
        return "Choose a reference volume."
    if second is None:
        return "Choose a second volume."
    reason = reason_not_to_use(reference) or reason_not_to_use(second)
    if not reason and not geometry.overlap(reference, second):
        return f"{reference.GetName()} and {second.GetName()} do not overlap in space; register them first."
    return reason


def reason_not_to_use(volume: slicer.vtkMRMLVolumeNode) -> str:
    """Return why a volume cannot be fused with any other; empty if it can."""
    return reason_by_kind(volume) or _reason_by_values(volume)


def reason_by_kind(volume: slicer.vtkMRMLNode) -> str:
    """Return why a volume of this kind cannot be fused, without a look at its voxels; empty if it can."""
    name = volume.GetName()
    if not volume.IsA("vtkMRMLScalarVolumeNode"):  # colour volumes are, too
        return f"{name} is not a volume; choose a grey or colour volume."
    if volume.IsA("vtkMRMLLabelMapVolumeNode"):
        return f"{name} is a label map; choose an image."
    image = volume.GetImageData()
    if image is None or image.GetPointData().GetScalars() is None or not image.GetNumberOfPoints():
        return f"{name} has no image data; choose or load another volume."
    components = image.GetNumberOfScalarComponents()
    if components > 1 and not display.is_color(volume):
        return (
            f"{name} has {components} values of type {image.GetScalarTypeAsString()} per voxel, as time series "
            "and vector fields have; choose a volume with one value per voxel or 8-bit colour."
        )
    return ""


def _reason_by_values(volume: slicer.vtkMRMLVolumeNode) -> str:
    voxels = arrayFromVolume(volume)
    lowest, highest = voxels.min(), voxels.max()  # NaN wherever it is
    if not np.isfinite([lowest, highest]).all():
        return f"{volume.GetName()} holds NaN or infinite voxels; replace them, for example by the background value."
    if lowest == highest:
        return f"{volume.GetName()} has the value {lowest:g} everywhere; there is nothing to fuse."
    black, white = display.shown_window(volume)
    if black == white:
        return f"{volume.GetName()} is shown with an intensity window of no width; widen it."
    return ""
