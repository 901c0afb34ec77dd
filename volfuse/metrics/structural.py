"""Structural similarity to the sources."""

from torch import Tensor

from volfuse.choices import Convention
from volfuse.metrics.inputs import is_published, prepare
from volfuse.numerics.ssim import SCALE_WEIGHTS, WINDOW_SIZE, ssim, ssim_by_scale


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
    return ssim(fused, sources)


def structural_similarity(fused: Tensor, sources: Tensor, *, convention: Convention = "reference") -> Tensor:
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
    fused, sources = prepare(fused, sources, minimum_size=WINDOW_SIZE * 2 ** (len(SCALE_WEIGHTS) - 1))
    factors = ssim_by_scale(fused, sources).clamp(min=1e-12)
    return (factors ** factors.new_tensor(SCALE_WEIGHTS)).prod(dim=-1).mean(dim=1)
