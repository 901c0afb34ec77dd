"""How well the edges of the sources survive: strength, orientation, and edges that no source has."""

import math

import torch
from torch import Tensor

from volfuse.filters import sobel
from volfuse.metrics.inputs import prepare


def edge_preservation(fused: Tensor, sources: Tensor) -> Tensor:
    r"""Q^AB/F: how much of the strength and the orientation of the sources' edges the fused image keeps.

    With the Sobel strength :math:`g = \sqrt{s_x^2 + s_y^2}` and orientation :math:`\alpha = \arctan(s_y / s_x)`,
    at every pixel and for every source :math:`I`,

    .. math::
        G = \frac{\min(g_I, g_F)}{\max(g_I, g_F)}, \quad A = 1 - \frac{|\alpha_I - \alpha_F|}{\pi / 2}, \quad
        Q = \frac{0.9994}{1 + e^{-15 (G - 0.5)}} \cdot \frac{0.9879}{1 + e^{-22 (A - 0.8)}}, \quad
        Q^{AB/F} = \frac{\sum_I \sum g_I\, Q_{IF}}{\sum_I \sum g_I}

    (Xydeas and Petrovic 2000, Electron. Lett. 36, eqs. 1 to 6). Range 0..0.975, higher is better; identical inputs
    give 0.9748 (the sigmoids do not reach 1), images without any edge 0. Differentiable, also where there is no
    edge: one minus it is a training loss. Public faults: where both strengths are equal much code sets
    :math:`G = g_F` instead of 1; :math:`\alpha` is :math:`+\pi/2` for every :math:`s_x = 0`, whatever the sign of
    :math:`s_y`; zero padding makes the frame of the image an edge (here the border is replicated).
    """
    fused, sources = prepare(fused, sources)
    fused_strength, fused_orientation = _edges(fused)
    strength, orientation = _edges(sources)
    stronger = torch.maximum(strength, fused_strength)
    relative_strength = torch.minimum(strength, fused_strength) / stronger.where(stronger > 0, 1)
    relative_orientation = 1 - (orientation - fused_orientation).abs() / (math.pi / 2)
    kept = (
        0.9994
        * torch.sigmoid(15 * (relative_strength - 0.5))
        * 0.9879
        * torch.sigmoid(22 * (relative_orientation - 0.8))
    )
    total = strength.sum(dim=(1, 2, 3))
    return (kept * strength).sum(dim=(1, 2, 3)) / total.where(total > 0, 1)


def _edges(images: Tensor) -> tuple[Tensor, Tensor]:
    """Strength and orientation (-pi/2..pi/2) of the Sobel gradient; both 0, with the gradient 0, where it is 0."""
    # A grey level divided by 255 is not exact: without this threshold, far below one grey level, rounding would
    # choose between the orientations -pi/2 and pi/2 of a horizontal edge.
    horizontal, vertical = (step.where(step.abs() > 1e-5, 0) for step in sobel(images))
    flat = (horizontal == 0) & (vertical == 0)
    horizontal = horizontal.where(~flat, 1)
    strength = torch.hypot(horizontal, vertical) * ~flat
    sign = torch.where(horizontal < 0, -1, 1)
    return strength, torch.atan2(sign * vertical, sign * horizontal)
