"""The state of the panel, kept in a parameter node and nowhere else, so that a scene saves and restores it."""

from typing import Annotated, Union

from slicer import vtkMRMLScalarVolumeNode, vtkMRMLVectorVolumeNode
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

from SlicerFusionLib.choices import Colors, Device, Plane, Preset, Window

Volume = Union[vtkMRMLScalarVolumeNode, vtkMRMLVectorVolumeNode, None]  # noqa: UP007 - the wrapper reads no A | B


@parameterNodeWrapper
class FusionParameters:
    """What the user has chosen.

    Attributes:
        reference: the volume whose grid and position the result has.
        second: the other volume.
        preset: what the two volumes are; sets the windows and colours when it is chosen.
        model: the name of the model to fuse with.
        contributions: make also volumes of what each source adds, where the model can tell.
        compared_models: names of the models to compare, separated by commas.
        plane: the slices that are fused.
        device: where the computing is done.
        batch_size: slices at a time; 0 lets the device decide.
        mixed_precision: compute faster and a little less exactly on a graphics card.
        reference_window, second_window: intensity windows.
        reference_colors, second_colors: colour tables.
        result: the fused volume that is shown and measured.
        blend: 0 shows the sources on top of each other, 1 the fused volume.
        swipe: the part of every slice, from the left, that shows the fused volume; the rest shows the sources.
        checkerboard: show the sources in alternating squares instead.
    """

    reference: Volume
    second: Volume
    preset: Preset
    model: str
    contributions: bool = False
    compared_models: str
    plane: Plane
    device: Device
    batch_size: Annotated[int, WithinRange(0, 512)] = 0
    mixed_precision: bool = True
    reference_window: Window
    second_window: Window
    reference_colors: Colors
    second_colors: Colors
    result: Volume
    blend: Annotated[float, WithinRange(0.0, 1.0)] = 1.0
    swipe: Annotated[float, WithinRange(0.0, 1.0)] = 1.0
    checkerboard: bool = False
