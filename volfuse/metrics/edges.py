"""How well the edges of the sources survive: strength, orientation, and edges that no source has."""

import math

import torch
from torch import Tensor

from volfuse.metrics.correlation import pearson
from volfuse.metrics.inputs import prepare
from volfuse.numerics.arithmetic import safe_ratio, safe_sqrt
from volfuse.numerics.laplacian import laplacian
from volfuse.numerics.sobel import sobel


def edge_preservation(fused: Tensor, sources: Tensor) -> Tensor:
    r"""Q^AB/F: how much of the strength and the orientation of the sources' edges the fused image keeps.

    With the Sobel strength :math:`g = \sqrt{s_x^2 + s_y^2}` and orientation :math:`\alpha = \arctan(s_y / s_x)`,
    at every pixel and for every source :math:`I`,

    .. math::
        G = \frac{\min(g_I, g_F)}{\max(g_I, g_F)}, \quad A = 1 - \frac{|\alpha_I - \alpha_F|}{\pi / 2}, \quad
        Q = \frac{0.9994}{1 + e^{-15 (G - 0.5)}} \cdot \frac{0.9879}{1 + e^{-22 (A - 0.8)}}, \quad
        Q^{AB/F} = \frac{\sum_I \sum g_I\, Q_{IF}}{\sum_I \sum g_I}

    (Xydeas and Petrovic 2000, Electron. Lett. 36). Range 0..0.975, higher is better; identical inputs
    give 0.9748 (the sigmoids do not reach 1), sources without any edge 0. Differentiable, also where there is no
    edge: one minus it is a training loss. Public faults: where both strengths are equal much code sets
    :math:`G = g_F` instead of 1; :math:`\alpha` is :math:`+\pi/2` for every :math:`s_x = 0`, whatever the sign of
    :math:`s_y`; zero padding makes the frame of the image an edge (here the border is replicated).
    """
    fused, sources = prepare(fused, sources)
    fused_strength, fused_orientation = _edges(fused, padding="replicate")
    strength, orientation = _edges(sources, padding="replicate")
    relative_strength = _relative(strength, fused_strength)
    relative_orientation = 1 - (orientation - fused_orientation).abs() / (math.pi / 2)
    kept_strength = 0.9994 * torch.sigmoid(15 * (relative_strength - 0.5))
    kept_orientation = 0.9879 * torch.sigmoid(22 * (relative_orientation - 0.8))
    kept = (kept_strength * kept_orientation * strength).sum(dim=(1, 2, 3))
    return safe_ratio(kept, strength.sum(dim=(1, 2, 3)))


def edge_artifacts(fused: Tensor, sources: Tensor) -> Tensor:
    r"""N^AB/F: the share of edge information that no source has, at pixels where the fused edge is stronger than all.

    .. math:: N^{AB/F} = \frac{\sum_{g_F > \max_I g_I} \sum_I (1 - Q_{IF})\, w_I}{\sum \sum_I w_I}, \qquad
              w_I = g_I^{1.5} \text{ if } g_I \ge 2, \text{ else } 0.001

    with the Sobel strength in grey levels per pixel and
    :math:`Q^2 = 0.9999 / (1 + e^{-19 (G - 0.5)}) \cdot 0.9995 / (1 + e^{-22 (A - 0.5)})`, orientations compared
    modulo 180 degrees (Petrovic and Xydeas 2005, ICCV; as modified by Shreyamsha Kumar 2013, Signal Image Video
    Process. 7, so that preserved, lost and artificial edges add up to 1). Range 0..1, lower is better; identical
    inputs give 0. Public faults: images of 0..1, where no strength reaches the threshold 2 and all pixels weigh the
    same.
    """
    fused, sources = prepare(fused, sources)
    fused_strength, fused_orientation = _edges(fused, padding="reflect")
    strength, orientation = _edges(sources, padding="reflect")
    relative_strength = _relative(strength, fused_strength) * ((strength > 0) & (fused_strength > 0))
    relative_orientation = ((orientation - fused_orientation).abs() - math.pi / 2).abs() / (math.pi / 2)
    kept = safe_sqrt(
        0.9999
        * torch.sigmoid(19 * (relative_strength - 0.5))
        * 0.9995
        * torch.sigmoid(22 * (relative_orientation - 0.5))
    )
    per_pixel = strength * 255 / 8
    weights = torch.where(per_pixel >= 2, per_pixel.clamp(min=2) ** 1.5, 0.001)
    artificial = fused_strength > strength.amax(dim=1, keepdim=True)
    return (artificial * (1 - kept) * weights).sum(dim=(1, 2, 3)) / weights.sum(dim=(1, 2, 3))


def edge_preservation_index(fused: Tensor, sources: Tensor) -> Tensor:
    r"""EPI: :math:`\frac{1}{N} \sum_i r(\Delta F, \Delta I_i)`, the correlation of the 3x3 Laplacians.

    (Sattar, Floreby, Salomonsson and Lovstrom 1997, IEEE T. Image Process. 6; averaged over the sources.) Range
    -1..1, higher is better; identical inputs give 1. The formula behind CSAFusion's EPI column is lost; its values
    cannot be compared with these.
    """
    return edge_preservation_index_per_source(fused, sources).mean(dim=1)


def edge_preservation_index_per_source(fused: Tensor, sources: Tensor) -> Tensor:
    """:func:`edge_preservation_index` with every source: (B, 1, H, W) and (B, N, H, W) give (B, N)."""
    fused, sources = prepare(fused, sources)
    return pearson(laplacian(fused), laplacian(sources))


def edge_preservation_index_to_first(fused: Tensor, sources: Tensor) -> Tensor:
    """EPI with source 0 (MR in the papers' tables); see :func:`edge_preservation_index_per_source`."""
    return edge_preservation_index_per_source(fused, sources)[:, 0]


def edge_preservation_index_to_second(fused: Tensor, sources: Tensor) -> Tensor:
    """EPI with source 1 (CT, PET or SPECT in the papers' tables)."""
    return edge_preservation_index_per_source(fused, sources)[:, 1]


def _edges(images: Tensor, padding: str) -> tuple[Tensor, Tensor]:
    """Strength and orientation (-pi/2..pi/2) of the Sobel gradient; both 0, with the gradient 0, where it is 0."""
    # A grey level divided by 255 is not exact: without this threshold, far below one grey level, rounding would
    # choose between the orientations -pi/2 and pi/2 of a horizontal edge.
    horizontal, vertical = (step.where(step.abs() > 1e-5, 0) for step in sobel(images, padding))
    flat = (horizontal == 0) & (vertical == 0)
    horizontal = horizontal.where(~flat, 1)
    strength = torch.hypot(horizontal, vertical) * ~flat
    sign = torch.where(horizontal < 0, -1, 1)
    return strength, torch.atan2(sign * vertical, sign * horizontal)


def _relative(strength: Tensor, fused_strength: Tensor) -> Tensor:
    """The weaker over the stronger edge; 1 where there is neither."""
    weaker = torch.minimum(strength, fused_strength)
    return safe_ratio(weaker, torch.maximum(strength, fused_strength), otherwise=1)
