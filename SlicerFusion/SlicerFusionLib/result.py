"""From the file of a fused image to a volume in the scene, with where it lies and where it comes from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import slicer

from volfuse.errors import FusionError

SOURCE_ROLE = "SlicerFusion.Source"
MODEL_ATTRIBUTE = "SlicerFusion.Model"
CONTRIBUTION_ATTRIBUTE = "SlicerFusion.Contribution"
NOTICE_ATTRIBUTE = "SlicerFusion.Notice"
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
    volume = read_volume(file)
    if volume.GetImageData().GetDimensions() != reference.GetImageData().GetDimensions():
        raise FusionError(f"{reference.GetName()} was changed during the fusion; fuse again.")
    volume.SetName(
        scene.GenerateUniqueName(f"{second.GetName()} + {reference.GetName()} ({provenance.title})")
    )
    for name, value in {
        MODEL_ATTRIBUTE: provenance.model,
        "SlicerFusion.Version": provenance.version,
        "SlicerFusion.WeightsSHA256": provenance.weights_sha256,
        "SlicerFusion.Options": json.dumps(provenance.options),
        NOTICE_ATTRIBUTE: NOTICE,
    }.items():
        volume.SetAttribute(name, value)
    place(volume, reference, (0, 255))
    for source in (reference, second):
        volume.AddNodeReferenceID(SOURCE_ROLE, source.GetID())
    return volume


def is_result(volume: slicer.vtkMRMLVolumeNode) -> bool:
    """Tell whether a volume was made by a fusion."""
    return any(volume.GetAttribute(name) is not None for name in (MODEL_ATTRIBUTE, CONTRIBUTION_ATTRIBUTE))


def read_volume(file: Path) -> slicer.vtkMRMLScalarVolumeNode:
    """Return a grey or RGB volume that is in no scene yet, so that it is never shown unfinished.

    Raises:
        FusionError: if the file cannot be read.
    """
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


def place(
    volume: slicer.vtkMRMLScalarVolumeNode,
    reference: slicer.vtkMRMLVolumeNode,
    window: tuple[float, float],
) -> None:
    """Add a volume on the grid of ``reference`` to its scene, under its transform, with a fixed window."""
    volume.CopyOrientation(reference)
    reference.GetScene().AddNode(volume)
    volume.SetAndObserveTransformNodeID(reference.GetTransformNodeID())
    # The automatic window of a colour volume follows its values and so shifts every colour.
    volume.CreateDefaultDisplayNodes()
    volume.GetDisplayNode().SetAutoWindowLevel(False)
    volume.GetDisplayNode().SetWindowLevelMinMax(*window)
    _place_beside(volume, reference)


def _place_beside(volume: slicer.vtkMRMLVolumeNode, reference: slicer.vtkMRMLVolumeNode) -> None:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(volume.GetScene())
    beside = hierarchy.GetItemByDataNode(reference)
    folder = hierarchy.GetItemParent(beside) if beside else hierarchy.GetSceneItemID()
    # Slicer makes the item itself when a volume is added; without its application nobody does.
    item = hierarchy.GetItemByDataNode(volume) or hierarchy.CreateItem(folder, volume)
    hierarchy.SetItemParent(item, folder)
