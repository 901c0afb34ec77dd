"""The state of the panel, kept in a parameter node and nowhere else, so that a scene saves and restores it."""

from typing import Annotated, Union

from slicer import vtkMRMLScalarVolumeNode, vtkMRMLVectorVolumeNode
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

from SlicerFusionLib.choices import Colors, Device, Preset, Window
from SlicerFusionLib.options import OptionParameters

Volume = Union[vtkMRMLScalarVolumeNode, vtkMRMLVectorVolumeNode, None]  # noqa: UP007 - the wrapper reads no A | B


@parameterNodeWrapper
class FusionParameters(OptionParameters):
    """What the user has chosen: the options of one fusion, and what follows.

    Attributes:
        reference: the volume whose grid and position the result has.
        second: the other volume.
        preset: what the two volumes are; sets the windows and colours when it is chosen.
        model: the name of the model to fuse with.
        compared_models: names of the models to compare, separated by commas.
        device: where the computing is done.
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
    compared_models: str
    device: Device
    reference_window: Window
    second_window: Window
    reference_colors: Colors
    second_colors: Colors
    result: Volume
    blend: Annotated[float, WithinRange(0.0, 1.0)] = 1.0
    swipe: Annotated[float, WithinRange(0.0, 1.0)] = 1.0
    checkerboard: bool = False
