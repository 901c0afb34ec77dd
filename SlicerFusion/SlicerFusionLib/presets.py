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
