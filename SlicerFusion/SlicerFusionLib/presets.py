"""Windows and colours that suit a pair of modalities."""

from collections.abc import Mapping

from SlicerFusionLib.choices import Colors, Preset, Window
from SlicerFusionLib.parameters import FusionParameters
from SlicerFusionLib.volumes import modality

_MR = (Window.MR, Colors.GREY)
_AS_SHOWN = (Window.AS_SHOWN, Colors.AS_SHOWN)

# For the volume that is, or is taken for, the MR, and for the other one.
_LOOKS: Mapping[Preset, tuple[tuple[Window, Colors], tuple[Window, Colors]]] = {
    Preset.AS_SHOWN: (_AS_SHOWN, _AS_SHOWN),
    Preset.NUCLEAR_MR: (_MR, (Window.NUCLEAR, Colors.HEAT)),
    Preset.CT_MR: (_MR, (Window.CT_BRAIN, Colors.GREY)),
    Preset.T1_T2: (_MR, _MR),
}


class ChosenPreset:
    """Sets windows and colours by the preset each time that the preset or a volume changes.

    With ``Preset.AS_SHOWN`` another volume changes nothing, so windows that were chosen by hand stay.

    Args:
        parameters: hold the preset and the volumes; they are left as they are until something changes.
    """

    def __init__(self, parameters: FusionParameters) -> None:
        self._parameters = parameters
        self._preset = parameters.preset
        self._volumes = parameters.reference, parameters.second

    def update(self) -> None:
        """React to changed parameters."""
        chosen = self._parameters
        volumes = chosen.reference, chosen.second
        has_other_preset = chosen.preset is not self._preset
        has_other_volumes = volumes != self._volumes
        self._preset, self._volumes = chosen.preset, volumes
        if has_other_preset or (has_other_volumes and chosen.preset is not Preset.AS_SHOWN):
            apply_preset(chosen)


def apply_preset(parameters: FusionParameters) -> None:
    """Set the windows and colours of both volumes to what the chosen preset says.

    The reference counts as the MR, unless only the second volume is known to be one.
    """
    looks = _LOOKS[parameters.preset]
    if _is_mr(parameters.second) and not _is_mr(parameters.reference):
        looks = looks[::-1]
    (parameters.reference_window, parameters.reference_colors), second = looks
    parameters.second_window, parameters.second_colors = second


def _is_mr(volume: object) -> bool:
    return volume is not None and modality(volume) in ("MR", "T1", "T2")
