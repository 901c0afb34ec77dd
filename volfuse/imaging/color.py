"""Colour: lookup tables, RGB to YCbCr and back, and the colour of several sources.

Only luminance is fused. Colour travels beside it and is put back afterwards.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from volfuse.choices import Colormap
from volfuse.errors import FusionError

# ITU-R BT.601 luma weights in the full-range form of JPEG (JFIF 1.02): Y 0..1, Cb and Cr centred on 0.
RED, GREEN, BLUE = 0.299, 0.587, 0.114


def luma(rgb: Tensor) -> Tensor:
    """Return the BT.601 luma (...) of RGB (3, ...), in the range of the RGB values."""
    red, green, blue = rgb
    luminance: Tensor = RED * red + GREEN * green + BLUE * blue
    return luminance


def rgb_to_ycbcr(rgb: Tensor) -> Tensor:
    """Convert RGB (3, ...) 0..1 to Y 0..1 and Cb, Cr -0.5..0.5, same shape."""
    luminance = luma(rgb)
    red, _, blue = rgb
    return torch.stack(
        [luminance, (blue - luminance) / (2 * (1 - BLUE)), (red - luminance) / (2 * (1 - RED))]
    )


def ycbcr_to_rgb(ycbcr: Tensor) -> Tensor:
    """Invert :func:`rgb_to_ycbcr`; (3, ...) to (3, ...), clipped to 0..1 where no RGB colour exists."""
    luminance, blue_difference, red_difference = ycbcr
    red = luminance + 2 * (1 - RED) * red_difference
    blue = luminance + 2 * (1 - BLUE) * blue_difference
    green = (luminance - RED * red - BLUE * blue) / GREEN
    return torch.stack([red, green, blue]).clamp_(0, 1)


def color_table(colormap: Colormap | np.ndarray) -> Tensor:
    """Return a lookup table (256, 3) of RGB values 0..1.

    Args:
        colormap: the name of a matplotlib colour map, or a table of 256 RGB rows (0..1, or integers 0..255).

    Raises:
        FusionError: for an unknown name or a table of another shape or range.
    """
    if isinstance(colormap, str):
        from matplotlib import colormaps  # noqa: PLC0415 - slow to import, needed for names alone

        if colormap not in colormaps:
            raise FusionError(
                f"There is no colour map '{colormap}'; use a matplotlib name such as 'hot', 'inferno' or 'jet'."
            )
        return torch.from_numpy(colormaps[colormap](np.arange(256) / 255)[:, :3]).float()
    table = np.asarray(colormap)
    if np.issubdtype(table.dtype, np.integer):
        table = table / 255
    if table.shape != (256, 3) or not ((table >= 0) & (table <= 1)).all():
        raise FusionError(
            f"A colour table needs 256 rows of red, green and blue within 0..1 (or integers 0..255), "
            f"not shape {table.shape}."
        )
    return torch.from_numpy(table.astype(np.float32))


def apply_table(values: Tensor, table: Tensor) -> Tensor:
    """Look values (...) 0..1 up in ``table`` (256, C); returns (C, ...).

    Entry ``floor(256 v)`` as VTK's lookup tables and matplotlib do; a viewer that takes another entry between two is
    one entry off.
    """
    # numpy takes from a small table three times as fast as torch indexes it.
    index = (values * 256).clamp_(0, 255).byte().cpu().numpy()
    columns = table.to(values.dtype).numpy().T
    return torch.from_numpy(np.stack([np.take(np.ascontiguousarray(c), index) for c in columns])).to(
        values.device
    )


def combine_colors(colors: Sequence[Tensor]) -> Tensor:
    r"""Join the colours of several sources into one.

    .. math:: C = \frac{\sum_i C_i |C_i|}{\sum_i |C_i|}

    for Cb and Cr (Prabhakar et al. 2017, DeepFuse, eq. 6); the luma of each counts by its :math:`|Cb| + |Cr|`. The
    colour of one source stays as it is.

    Args:
        colors: tensors (3, ...) of Y 0..1, Cb and Cr -0.5..0.5, all of one shape.

    Returns:
        A tensor (3, ...) of the same ranges.
    """
    if len(colors) == 1:
        return colors[0]
    stacked = torch.stack(list(colors))
    weights = stacked[:, 1:].abs()
    weights = torch.cat([weights.sum(1, keepdim=True), weights], dim=1)
    return (stacked * weights).sum(0) / weights.sum(0).clamp_min(1e-6)
