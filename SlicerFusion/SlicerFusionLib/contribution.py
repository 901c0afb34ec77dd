"""What each source adds to a fused volume, as volumes of their own."""

from collections.abc import Sequence
from pathlib import Path

import slicer

from SlicerFusionLib.result import (
    CONTRIBUTION_ATTRIBUTE,
    NOTICE,
    NOTICE_ATTRIBUTE,
    SOURCE_ROLE,
    place,
    read_volume,
)

CONTRIBUTION_ROLE = "SlicerFusion.Contribution"
_GREY_LEVELS = 255


def add_contributions(
    files: Sequence[str | Path], fused: slicer.vtkMRMLScalarVolumeNode
) -> list[slicer.vtkMRMLScalarVolumeNode]:
    """Put what each source adds to ``fused`` into its scene, exactly where ``fused`` is.

    Args:
        files: NRRD that the worker wrote, in grey levels of ``fused``: one per source in their order, and perhaps a
            last one of what the model adds by itself.
        fused: what ``add_result`` returned; it refers to the volumes added here, and is saved and loaded with them.

    Returns:
        Volumes whose sum is the brightness of ``fused``, shown with windows as wide as its own; in the last one, where
        it is of the model itself, what is darker than middle grey is taken away.

    Raises:
        FusionError: if a file cannot be read.
    """
    volumes = []
    for number, file in enumerate(files):
        volume = read_volume(Path(file))
        source = fused.GetNthNodeReference(SOURCE_ROLE, number)
        part = f"contribution of {source.GetName()}" if source else "correction"
        volume.SetName(fused.GetScene().GenerateUniqueName(f"{fused.GetName()} {part}"))
        volume.SetAttribute(CONTRIBUTION_ATTRIBUTE, source.GetName() if source else "")
        volume.SetAttribute(NOTICE_ATTRIBUTE, NOTICE)
        darkest = 0 if source else -_GREY_LEVELS / 2
        place(volume, fused, (darkest, darkest + _GREY_LEVELS))
        fused.AddNodeReferenceID(CONTRIBUTION_ROLE, volume.GetID())
        volumes.append(volume)
    return volumes


def contributions_of(fused: slicer.vtkMRMLVolumeNode) -> list[slicer.vtkMRMLScalarVolumeNode]:
    """Return what :func:`add_contributions` added for ``fused``, as far as it is in the scene still."""
    count = fused.GetNumberOfNodeReferences(CONTRIBUTION_ROLE)
    volumes = [fused.GetNthNodeReference(CONTRIBUTION_ROLE, number) for number in range(count)]
    return [volume for volume in volumes if volume]
