"""From files to luminance and back, as MONAI dictionary transforms and the one chain of them."""

from volfuse.imaging.chain import postprocessing, preprocessing, slice_transforms
from volfuse.imaging.color import (
    apply_table,
    color_table,
    combine_colors,
    luma,
    rgb_to_ycbcr,
    ycbcr_to_rgb,
)
from volfuse.imaging.files import SaveFusedd, read_image, write_image
from volfuse.imaging.gamut import recolor
from volfuse.imaging.grid import PLANES, MatchReferenced, OrientSlicesd, RestoreGridd
from volfuse.imaging.luminance import RestoreColord, SplitLuminanced, as_stored
from volfuse.imaging.oklab import rgb_to_oklab
from volfuse.imaging.slices import slices_of, slices_with_content
from volfuse.imaging.sources import LoadSourcesd, Source, as_image
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
    "Source",
    "SplitLuminanced",
    "Window",
    "apply_table",
    "as_image",
    "as_stored",
    "color_table",
    "combine_colors",
    "luma",
    "postprocessing",
    "preprocessing",
    "read_image",
    "recolor",
    "rgb_to_oklab",
    "rgb_to_ycbcr",
    "slice_transforms",
    "slices_of",
    "slices_with_content",
    "write_image",
    "ycbcr_to_rgb",
]
