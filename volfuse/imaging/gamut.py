"""The hue of one scan at the luminance of another, as colourful as a screen can show it.

At a given luminance a screen shows a hue only up to some chroma: a bright red is pink, a dark yellow is brown. What
lies beyond is out of gamut. To clip it channel by channel changes all three. Here hue stays, and chroma gives way
(constant-hue compression in OKLab as in B. Ottosson, "sRGB gamut clipping", 2021, but at constant BT.601 luma,
because that is what was fused), and, if wanted, a bounded part of the luminance.
"""

import math
from functools import cache

import torch
from torch import Tensor

from volfuse.imaging.color import BLUE, luma
from volfuse.imaging.oklab import AB_TO_CONE_ROOTS, CONES_TO_LIGHT, decode, encode, mix, rgb_to_oklab

# The nodes of the table of boundaries. Its hues begin at blue, where the boundary is sharpest.
_LUMAS, _HUES = 129, 360
_BLUE_HUE = math.atan2(-0.311528, -0.032457)
# How far the table reaches beyond the boundary, as a share of the chroma: between its nodes the boundary may lie
# higher, and the way from grey to pure blue leaves RGB by almost that much. What is too much is cut at the end.
_MARGIN = 0.04
_SAME_LUMA = 1 / 255
_VOXELS_AT_A_TIME = 1 << 16  # stay in the processor's cache

ROOM = BLUE
"""What yellow, the brightest pure colour, lacks of the luma of white: 0.114."""


def recolor(luminance: Tensor, color: Tensor, room: float = 0.0) -> Tensor:
    """Return the hue of ``color`` at another luminance, with its chroma or as much of it as RGB has there.

    Args:
        luminance: BT.601 luma (...); clipped to 0..1 here.
        color: RGB (3, ...), 0..1.
        room: how much luminance may give way, at most, where chroma fades towards white. It begins where the chroma
            does, no contrast falls below half, and nothing gives way where ``color`` has this luminance or is grey.

    Returns:
        RGB (3, ...), 0..1, whose luma, without room, is ``luminance`` up to rounding. Grey stays grey.
    """
    target, source = luminance.flatten().clamp(0, 1), color.reshape(3, -1)
    result = target.repeat(3, 1)
    for start in range(0, target.numel(), _VOXELS_AT_A_TIME):
        part = source[:, start : start + _VOXELS_AT_A_TIME]
        colored = (part.amax(0) > part.amin(0)).nonzero().flatten() + start
        if colored.numel():
            shown = _recolor(target.index_select(0, colored), source.index_select(1, colored), room)
            result.index_copy_(1, colored, shown)
    return result.reshape(color.shape)


def _recolor(target: Tensor, source: Tensor, room: float) -> Tensor:
    ab, own = rgb_to_oklab(source)[1:], luma(source)
    chroma, hue = ab.square().sum(0).sqrt(), torch.atan2(ab[1], ab[0])
    if room:
        target = _with_room(target, own, chroma, hue, room)
    most, lightness_there = _boundary(target, hue)
    share = chroma / most.clamp_min(1e-9)
    away = mix(AB_TO_CONE_ROOTS, ab / share.clamp_min(1))
    # The lightness at a given luma grows with about the square of the chroma; a step of Newton's method does the rest.
    grey = decode(target) ** (1 / 3)
    lightness = grey + (lightness_there - grey) * share.clamp_max(1) ** 2
    roots = lightness + away
    rgb, slope = encode(mix(CONES_TO_LIGHT, roots**3))
    slope = luma(slope * mix(CONES_TO_LIGHT, 3 * roots**2))
    lightness = lightness + (target - luma(rgb)) / slope.clamp_min(0.1)
    rgb, _ = encode(mix(CONES_TO_LIGHT, (lightness + away) ** 3))
    difference = torch.where((target - own).abs() < _SAME_LUMA, source - own, rgb - luma(rgb))
    return into_gamut(difference, target)


def _with_room(target: Tensor, own: Tensor, chroma: Tensor, hue: Tensor, room: float) -> Tensor:
    """Let luminance give way between where the chroma begins to fade and white."""
    luma_of_most, most = _cusps().to(target).index_select(1, (_column(hue) + 0.5).long())
    # From the most colourful colour of a hue to white the boundary is nearly straight.
    fading = ((1 - luma_of_most) * chroma / most).minimum(1 - own).clamp_min(1e-6)
    given: Tensor = ((target - 1 + fading) / fading).clamp(0, 1) * (fading / 2).clamp_max(room)
    return target - given


def into_gamut(difference: Tensor, grey: Tensor) -> Tensor:
    """Add to ``grey`` (...) as much of a difference (3, ...) without luma as keeps the sum within 0..1."""
    upwards, downwards = difference.amax(0).clamp_min(1e-9), (-difference.amin(0)).clamp_min(1e-9)
    share = torch.minimum((1 - grey) / upwards, grey / downwards).clamp_max(1)
    return (grey + share * difference).clamp_(0, 1)


def _boundary(target: Tensor, hue: Tensor) -> tuple[Tensor, Tensor]:
    """Return the largest chroma at a luma and a hue (radians), and the lightness there; bilinear in a table."""
    table = _boundary_table().to(target)
    row = target * (_LUMAS - 1)
    column = _column(hue)
    top, left = row.long().clamp(0, _LUMAS - 2), column.long().clamp(0, _HUES - 1)
    corner, down, right = top * (_HUES + 1) + left, row - top, column - left
    above, below = (
        torch.lerp(table.index_select(1, node), table.index_select(1, node + 1), right)
        for node in (corner, corner + _HUES + 1)
    )
    most, lightness = torch.lerp(above, below, down)
    return most, lightness


def _column(hue: Tensor) -> Tensor:
    """Return where a hue (radians) lies in the table: 0 to the number of hues."""
    return (hue - _BLUE_HUE).remainder(math.tau) * (_HUES / math.tau)


@cache
def _cusps() -> Tensor:
    """Return luma and chroma (2, hue) of the most colourful colour of each hue."""
    most, row = _boundary_table()[0].reshape(_LUMAS, -1).max(0)
    return torch.stack([row / (_LUMAS - 1), most])


@cache
def _boundary_table() -> Tensor:
    """Return chroma and lightness (2, luma x hue) on the boundary of RGB, by bisection."""
    target = torch.linspace(0, 1, _LUMAS)[:, None].expand(-1, _HUES + 1)
    hue = torch.linspace(_BLUE_HUE, _BLUE_HUE + math.tau, _HUES + 1).expand(_LUMAS, -1)
    away = mix(AB_TO_CONE_ROOTS, torch.stack([hue.cos(), hue.sin()]))
    most = torch.zeros_like(target)
    for halving in range(1, 16):
        trial = most + 2.0**-halving
        roots = _lightness(target, trial * away) + trial * away
        rgb, _ = encode(mix(CONES_TO_LIGHT, roots**3))
        shown = ((rgb >= -_MARGIN * target) & (rgb <= 1 + _MARGIN * (1 - target))).all(0)
        most = torch.where(shown, trial, most)
    return torch.stack([most, _lightness(target, most * away)]).flatten(1)


def _lightness(target: Tensor, away: Tensor) -> Tensor:
    """Solve for the lightness at which a colour has the luma ``target``, by bisection."""
    lightness = torch.zeros_like(target)
    for halving in range(20):
        trial = lightness + 2.0**-halving
        rgb, _ = encode(mix(CONES_TO_LIGHT, (trial + away) ** 3))
        lightness = torch.where(luma(rgb) < target, trial, lightness)
    return lightness
