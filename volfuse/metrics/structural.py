"""Structural similarity to the sources."""

import torch
import torch.nn.functional as F
from torch import Tensor

from volfuse.metrics.inputs import is_published, prepare
from volfuse.metrics.windows import gaussian, local_moments

WINDOW_SIZE = 11
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Weights of the scales, finest first (Wang, Simoncelli and Bovik 2003)."""


def structural_similarity_per_source(fused: Tensor, sources: Tensor) -> Tensor:
    r"""SSIM of the fused image with every source, (B, N).

    .. math::
        SSIM(F, I) = \mathrm{mean} \frac{(2 \mu_F \mu_I + c_1)(2 \sigma_{FI} + c_2)}
                                        {(\mu_F^2 + \mu_I^2 + c_1)(\sigma_F^2 + \sigma_I^2 + c_2)},
        \quad c_1 = 0.01^2, \quad c_2 = 0.03^2

    under an 11x11 Gaussian window (sigma 1.5) that lies inside the image (Wang et al. 2004, IEEE T. Image Process. 13,
    eq. 13). Range -1..1, identical inputs give 1. Public faults: images of 0..255 with the constants of 0..1.
    """
    fused, sources = prepare(fused, sources, minimum_size=WINDOW_SIZE)
    luminance, structure = _similarities(fused, sources)
    return (luminance * structure).mean(dim=(2, 3))


def structural_similarity(fused: Tensor, sources: Tensor, *, convention: str = "reference") -> Tensor:
    """SSIM: the mean over the sources of :func:`structural_similarity_per_source`.

    Range -1..1, higher is better; identical inputs give 1. Two different sources cannot both be matched, so 1 is out
    of reach and the plain average of the sources comes close to the maximum. ``convention="published"``: the sum over
    the sources, which CDDFuse's evaluator and its descendants print.
    """
    per_source = structural_similarity_per_source(fused, sources)
    return per_source.sum(dim=1) if is_published(convention) else per_source.mean(dim=1)


def structural_similarity_to_first(fused: Tensor, sources: Tensor) -> Tensor:
    """SSIM with source 0 (MR in the papers' tables); see :func:`structural_similarity_per_source`."""
    return structural_similarity_per_source(fused, sources)[:, 0]


def structural_similarity_to_second(fused: Tensor, sources: Tensor) -> Tensor:
    """SSIM with source 1 (CT, PET or SPECT in the papers' tables)."""
    return structural_similarity_per_source(fused, sources)[:, 1]


def multiscale_structural_similarity(fused: Tensor, sources: Tensor) -> Tensor:
    r"""MS-SSIM: :math:`\prod_{j=1}^{5} s_j^{w_j}`, the mean over the sources.

    :math:`s_j` is the mean of the second factor of SSIM (contrast and structure) at scale :math:`j`, at the coarsest
    scale of the whole SSIM; each scale halves the last by 2x2 means (Wang, Simoncelli and Bovik 2003, Asilomar,
    eq. 7). A negative factor counts 0. Needs 176 pixels along each side. Range 0..1, higher is better; identical
    inputs give 1. What FusionMamba's tables call MS-SSIM is
    :func:`~volfuse.metrics.multi_exposure_structural_similarity`.
    """
    coarsest = len(SCALE_WEIGHTS) - 1
    fused, sources = prepare(fused, sources, minimum_size=WINDOW_SIZE * 2**coarsest)
    similarity = torch.ones((), dtype=fused.dtype, device=fused.device)
    for scale, weight in enumerate(SCALE_WEIGHTS):
        luminance, structure = _similarities(fused, sources)
        factor = structure if scale < coarsest else luminance * structure
        similarity = similarity * factor.mean(dim=(2, 3)).clamp(min=1e-12) ** weight
        fused, sources = F.avg_pool2d(fused, 2), F.avg_pool2d(sources, 2)
    return similarity.mean(dim=1)


def _similarities(fused: Tensor, sources: Tensor) -> tuple[Tensor, Tensor]:
    """The two factors of SSIM as maps (B, N, H - 10, W - 10)."""
    moments = local_moments(fused, sources, gaussian(WINDOW_SIZE, 1.5))
    luminance_constant, structure_constant = 0.01**2, 0.03**2
    luminance = (2 * moments.first_mean * moments.second_mean + luminance_constant) / (
        moments.first_mean**2 + moments.second_mean**2 + luminance_constant
    )
    structure = (2 * moments.covariance + structure_constant) / (
        moments.first_variance + moments.second_variance + structure_constant
    )
    return luminance, structure
