"""From the file of a fused image to a volume in the scene, with where it lies and where it comes from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import slicer

from volfuse.errors import FusionError

SOURCE_ROLE = "SlicerFusion.Source"
MODEL_ATTRIBUTE = "SlicerFusion.Model"
NOTICE = "For research. Not a medical device: do not use for diagnosis."


@dataclass(frozen=True)
class Provenance:
    """What a fused volume was made with.

    Attributes:
        model: its name in the catalogue of ``volfuse``.
        title: its name for people.
        version: of the model.
        weights_sha256: of its trained weights; empty for a rule without any.
        options: what was chosen, as JSON holds it.
    """

    model: str
    title: str
    version: str
    weights_sha256: str = ""
    options: Mapping[str, object] = field(default_factory=dict)


def add_result(
    file: Path,
    reference: slicer.vtkMRMLVolumeNode,
    second: slicer.vtkMRMLVolumeNode,
    provenance: Provenance,
) -> slicer.vtkMRMLScalarVolumeNode:
    """Put a fused image into the scene of ``reference``, exactly where ``reference`` is.

    Args:
        file: NRRD that the pipeline wrote: uint8, grey or RGB, on the grid of ``reference``.
        reference: the volume that gave grid and position.
        second: the other source.
        provenance: what is noted on the volume, and stays with it when the scene is saved.

    Returns:
        A scalar volume, or a vector volume with true colours, shown with the fixed window 0 to 255.

    Raises:
        FusionError: if the file cannot be read, or ``reference`` has changed its grid in the meantime.
    """
    scene = reference.GetScene()
    volume = _read(file)
    if volume.GetImageData().GetDimensions() != reference.GetImageData().GetDimensions():
        raise FusionError(f"{reference.GetName()} was changed during the fusion; fuse again.")
    volume.SetName(
        scene.GenerateUniqueName(f"{second.GetName()} + {reference.GetName()} ({provenance.title})")
    )
    volume.CopyOrientation(reference)
    for name, value in {
        MODEL_ATTRIBUTE: provenance.model,
        "SlicerFusion.Version": provenance.version,
        "SlicerFusion.WeightsSHA256": provenance.weights_sha256,
        "SlicerFusion.Options": json.dumps(provenance.options),
        "SlicerFusion.Notice": NOTICE,
    }.items():
        volume.SetAttribute(name, value)
    scene.AddNode(volume)
    volume.SetAndObserveTransformNodeID(reference.GetTransformNodeID())
    for source in (reference, second):
        volume.AddNodeReferenceID(SOURCE_ROLE, source.GetID())
    _show_as_stored(volume)
    _place_beside(volume, reference)
    return volume


def is_result(volume: slicer.vtkMRMLVolumeNode) -> bool:
    """Tell whether a volume was made by a fusion."""
    return volume.GetAttribute(MODEL_ATTRIBUTE) is not None


def _read(file: Path) -> slicer.vtkMRMLScalarVolumeNode:
    """Return a volume that is in no scene, so that nobody sees it half made."""
    storage, stored = slicer.vtkMRMLNRRDStorageNode(), slicer.vtkMRMLScalarVolumeNode()
    storage.SetFileName(str(file))
    if not storage.ReadData(stored):
        raise FusionError(f"The fused image {file.name} could not be read; fuse again.")
    if stored.GetImageData().GetNumberOfScalarComponents() == 1:
        volume = slicer.vtkMRMLScalarVolumeNode()
    else:
        volume = slicer.vtkMRMLVectorVolumeNode()
        volume.SetVoxelVectorType(slicer.vtkMRMLVolumeNode.VoxelVectorTypeColorRGB)
    volume.SetAndObserveImageData(stored.GetImageData())
    return volume


def _show_as_stored(volume: slicer.vtkMRMLScalarVolumeNode) -> None:
    # The automatic window of a colour volume follows its values and so shifts every colour.
    volume.CreateDefaultDisplayNodes()
    display = volume.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(0, 255)


def _place_beside(volume: slicer.vtkMRMLVolumeNode, reference: slicer.vtkMRMLVolumeNode) -> None:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(volume.GetScene())
    beside = hierarchy.GetItemByDataNode(reference)
    folder = hierarchy.GetItemParent(beside) if beside else hierarchy.GetSceneItemID()
    # Slicer makes the item itself when a volume is added; without its application nobody does.
    item = hierarchy.GetItemByDataNode(volume) or hierarchy.CreateItem(folder, volume)
    hierarchy.SetItemParent(item, folder)
