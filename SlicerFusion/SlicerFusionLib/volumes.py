"""What kind of image a volume holds, and which two volumes the user most likely wants to fuse."""

import re
from collections.abc import Sequence

import slicer

from SlicerFusionLib.checks import reason_by_kind
from SlicerFusionLib.result import is_result

FUNCTIONAL = ("PET", "SPECT")

# As the reference: the finest anatomy first, what shows function last.
_ORDER = ("T1", "MR", "T2", "CT", "", "SPECT", "PET")
_DICOM_MODALITIES = {"PT": "PET", "NM": "SPECT", "CT": "CT", "MR": "MR"}
_WORDS = {
    "PET": r"pet\d*|pt|fdg|suvr?|amyloid|psma|florbeta\w+",
    "SPECT": r"spect\d*|nm|99mtc|tc99m?|hmpao|mibi",
    "CT": r"ct\d*|cta|cbct|ctac",
    "T1": r"t1\w*|mprage|spgr|bravo",
    "T2": r"t2\w*|flair",
    "MR": r"mr\d*|mri\d*|mra|swi|dwi|adc",
}


def modality(volume: slicer.vtkMRMLVolumeNode) -> str:
    """Return ``"PET"``, ``"SPECT"``, ``"CT"``, ``"T1"``, ``"T2"`` or ``"MR"``; empty if nothing tells.

    The DICOM header decides, then the colours the volume is shown in, then the words of its name.
    """
    by_name = _modality_by_name(volume.GetName())
    by_header = _DICOM_MODALITIES.get(_dicom_modality(volume), "")
    if by_header == "MR" and by_name in ("T1", "T2"):
        return by_name
    return by_header or _modality_by_colors(volume) or by_name


def likely_pair(
    scene: slicer.vtkMRMLScene,
) -> tuple[slicer.vtkMRMLVolumeNode | None, slicer.vtkMRMLVolumeNode | None]:
    """Return the reference and the second volume most likely meant; ``None`` where there is no volume for it.

    Those are the background and the foreground of the slice views; else the newest image of function with the
    newest of anatomy; else the two newest. Anatomy is the reference, and T1 comes before T2, MR before CT.
    """
    volumes = _fusable(scene)
    visible = [volume for volume in _visible(scene) if volume in volumes]
    found = visible if len(visible) == 2 else _newest_pair(volumes)
    found = sorted(found, key=lambda volume: _ORDER.index(modality(volume)))
    reference = found[0] if found else None
    second = found[1] if len(found) > 1 else None
    return reference, second


def _newest_pair(volumes: Sequence[slicer.vtkMRMLVolumeNode]) -> Sequence[slicer.vtkMRMLVolumeNode]:
    function = [volume for volume in volumes if modality(volume) in FUNCTIONAL]
    anatomy = [volume for volume in volumes if volume not in function]
    if function and anatomy:
        return anatomy[-1], function[-1]
    return volumes[-2:]


def _fusable(scene: slicer.vtkMRMLScene) -> list[slicer.vtkMRMLVolumeNode]:
    return [
        volume
        for volume in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode", scene)
        if not reason_by_kind(volume) and not is_result(volume) and not volume.GetHideFromEditors()
    ]


def _visible(scene: slicer.vtkMRMLScene) -> list[slicer.vtkMRMLVolumeNode]:
    """Return the background and the foreground of the first slice view that shows both."""
    for view in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode", scene):
        shown = [
            scene.GetNodeByID(node_id or "")
            for node_id in (view.GetBackgroundVolumeID(), view.GetForegroundVolumeID())
        ]
        if all(shown):
            return shown
    return []


def _dicom_modality(volume: slicer.vtkMRMLVolumeNode) -> str:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(volume.GetScene())
    item = hierarchy.GetItemByDataNode(volume)
    attribute = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMSeriesModalityAttributeName()
    return hierarchy.GetItemAttribute(item, attribute) if item else ""


def _modality_by_colors(volume: slicer.vtkMRMLVolumeNode) -> str:
    display = volume.GetDisplayNode()
    colors = display.GetColorNode() if display else None
    return "PET" if colors is not None and colors.GetName().startswith("PET-") else ""


def _modality_by_name(name: str) -> str:
    # "BrainPET_T1w" holds the words brain, pet and t1w.
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    words = re.findall(r"[a-z0-9]+", spaced.lower())
    return next(
        (kind for kind, pattern in _WORDS.items() if any(re.fullmatch(pattern, word) for word in words)), ""
    )
