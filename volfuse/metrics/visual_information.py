r"""Visual information: how much of what an eye would see in a source is still seen in the fused image.

The pixel-domain model of Sheikh and Bovik (2006, IEEE T. Image Process. 15): in every window the fused image is the
source times a gain :math:`g` plus noise of variance :math:`\sigma_v^2`, and the eye adds noise of variance
:math:`\sigma_n^2`. With :math:`\sigma^2` the variance of the source,

.. math::
    seen = \log\left(1 + \frac{g^2 \sigma^2}{\sigma_v^2 + \sigma_n^2}\right), \qquad
    available = \log\left(1 + \frac{\sigma^2}{\sigma_n^2}\right),

on grey levels 0..255, at four scales with Gaussian windows of 17, 9, 5 and 3 pixels (sigma a fifth of that).
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from volfuse.metrics.inputs import prepare
from volfuse.numerics.arithmetic import safe_ratio
from volfuse.numerics.windows import gaussian_weights, inner_mean, local_moments

WINDOW_SIZES = (17, 9, 5, 3)
MINIMUM_SIZE = 41  # leaves one window at the coarsest scale
NO_VARIANCE = 1e-10  # squared grey levels: what is smaller is floating-point noise


class ScaleInformation(NamedTuple):
    """Maps (B, N, H', W') of one scale."""

    seen: Tensor
    available: Tensor
    gain: Tensor


def visual_information_fidelity(fused: Tensor, sources: Tensor) -> Tensor:
    r"""VIF: :math:`\sum_i \mathrm{vifp}(I_i, F)`, with vifp the sum of *seen* over the sum of *available*.

    Sums run over all windows and scales, :math:`\sigma_n^2 = 2`.
    Range 0..N and above (contrast enhancement passes 1 per source), higher is better; identical inputs give N. A
    source without any contrast has nothing to lose and counts 1. Maximum wins by construction. Public faults:
    :math:`\sigma_n^2 = 2` on images of 0..1, where the eye's noise drowns everything; CSAFusion prints the mean over
    the sources, CDDFuse calls the sum VIFF.
    """
    fused, sources = prepare(fused, sources, minimum_size=MINIMUM_SIZE)
    seen = available = fused.new_zeros(sources.shape[:2])
    for scale in _scales(fused, sources, eye_noise=2):
        seen = seen + scale.seen.sum(dim=(2, 3))
        available = available + scale.available.sum(dim=(2, 3))
    return safe_ratio(seen, available, otherwise=1).sum(dim=1)


def visual_information_fidelity_for_fusion(fused: Tensor, sources: Tensor) -> Tensor:
    r"""VIFF: *seen* over *available* per scale, in each window only of the source with the larger gain.

    The four ratios are weighted 1 : 0 : 0.15 : 1, and :math:`\sigma_n^2 = 0.005 \cdot 255^2` (Han, Cai, Cao and Xu
    2013, Inf. Fusion 14). Range 0..1 and above, higher is better; identical inputs give 1. In a window
    with next to no variance the gain is the ratio of two tiny numbers and still chooses the source: below what
    variance a window counts as flat (here and in public code 1e-10) moves the value by up to 0.3 %. Public faults: a
    widespread copy of the authors' code chooses the smaller gain; what CDDFuse's evaluator calls VIFF is
    :func:`visual_information_fidelity`.
    """
    fused, sources = prepare(fused, sources, minimum_size=MINIMUM_SIZE)
    ratios = []
    for scale in _scales(fused, sources, eye_noise=0.005 * 255**2):
        strongest = scale.gain.argmax(dim=1, keepdim=True)
        # The constant makes the ratio of two images without contrast 1.
        seen, available = (
            (information.gather(1, strongest) + 1e-7).sum(dim=(1, 2, 3))
            for information in (scale.seen, scale.available)
        )
        ratios.append(seen / available)
    return (ratios[0] + 0.15 * ratios[2] + ratios[3]) / 2.15


def _scales(fused: Tensor, sources: Tensor, eye_noise: float) -> Iterator[ScaleInformation]:
    fused, sources = 255 * fused, 255 * sources
    for size in WINDOW_SIZES:
        window = gaussian_weights(size, size / 5)
        if size != WINDOW_SIZES[0]:
            fused, sources = (inner_mean(images, window)[..., ::2, ::2] for images in (fused, sources))
        moments = local_moments(fused, sources, window)
        variance = moments.second_variance.where(moments.second_variance > NO_VARIANCE, 0)
        related = (variance > 0) & (moments.first_variance > NO_VARIANCE) & (moments.covariance > 0)
        gain = torch.where(related, moments.covariance / variance.where(related, 1), 0)
        noise = (moments.first_variance - gain * moments.covariance).clamp(min=0)
        seen = torch.log1p(gain**2 * variance / (noise + eye_noise))
        yield ScaleInformation(seen, torch.log1p(variance / eye_noise), gain)
