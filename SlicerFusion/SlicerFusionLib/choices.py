"""The choices of the panel: what the user reads, and what a request says."""

from enum import Enum


class Choice(Enum):
    """A choice whose value goes into the request and whose ``text`` the user reads."""

    text: str

    def __new__(cls, value: str, text: str) -> "Choice":
        """Make a member of ``value`` that carries its ``text``."""
        member = object.__new__(cls)
        member._value_ = value
        member.text = text
        return member

    def label(self) -> str:
        """Return the text; Slicer's parameter node wrapper asks enumerations for it by this name."""
        return self.text


class Device(Choice):
    """Where the computing is done."""

    AUTOMATIC = "auto", "Automatic"
    PROCESSOR = "cpu", "Processor"
    GRAPHICS_CARD = "cuda", "Graphics card"


class Window(Choice):
    """Which values of a volume become black and white; the value is what ``volfuse`` calls the window."""

    AS_SHOWN = "", "As shown in the slice views"
    AUTOMATIC = "auto", "Automatic"
    MR = "mr", "MR"
    NUCLEAR = "pet", "PET or SPECT"
    CT_BRAIN = "ct-brain", "CT, brain"
    CT_SOFT_TISSUE = "ct-soft-tissue", "CT, soft tissue"
    CT_BONE = "ct-bone", "CT, bone"


class Colors(Choice):
    """The colours of a volume; the value is the ID of Slicer's colour node."""

    AS_SHOWN = "", "As shown in the slice views"
    GREY = "vtkMRMLColorTableNodeGrey", "Grey"
    HEAT = "vtkMRMLPETProceduralColorNodePET-Heat", "Heat (PET-Heat)"
    DICOM = "vtkMRMLPETProceduralColorNodePET-DICOM", "Hot iron (PET-DICOM)"
    RAINBOW = "vtkMRMLPETProceduralColorNodePET-Rainbow", "Rainbow (PET-Rainbow)"


class Preset(Choice):
    """What the two volumes are; see ``SlicerFusionLib.presets``."""

    AS_SHOWN = "as-shown", "Any, as shown in the slice views"
    NUCLEAR_MR = "nuclear-mr", "MR with PET or SPECT"
    CT_MR = "ct-mr", "MR with CT (brain)"
    T1_T2 = "t1-t2", "MR with MR (T1, T2, FLAIR)"
