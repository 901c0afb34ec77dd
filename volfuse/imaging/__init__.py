"""From files to luminance and back, as MONAI dictionary transforms.

A bundle chains them: ``LoadSourcesd -> OrientSlicesd -> ApplyWindowsd -> MatchReferenced ->
SplitLuminanced``, then the inferer, then ``RestoreColord -> RestoreGridd -> SaveFusedd``.
"""

from volfuse.imaging.color import (
    apply_table,
    color_table,
    combine_colors,
    luma,
    rgb_to_ycbcr,
    ycbcr_to_rgb,
)
from volfuse.imaging.files import LoadSourcesd, SaveFusedd, read_image, write_image
from volfuse.imaging.gamut import recolor
from volfuse.imaging.grid import PLANES, MatchReferenced, OrientSlicesd, RestoreGridd
from volfuse.imaging.luminance import RestoreColord, SplitLuminanced
from volfuse.imaging.oklab import rgb_to_oklab
from volfuse.imaging.windows import PRESETS, ApplyWindowsd, Limit, Window

__all__ = [
    "PLANES",
    "PRESETS",
    "ApplyWindowsd",
    "Limit",
    "LoadSourcesd",
    "MatchReferenced",
    "OrientSlicesd",
    "RestoreColord",
    "RestoreGridd",
    "SaveFusedd",
    "SplitLuminanced",
    "Window",
    "apply_table",
    "color_table",
    "combine_colors",
    "luma",
    "read_image",
    "recolor",
    "rgb_to_oklab",
    "rgb_to_ycbcr",
    "write_image",
    "ycbcr_to_rgb",
]
