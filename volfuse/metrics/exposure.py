"""Structural similarity to the best that a patch of each source offers, instead of to each source."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from volfuse.metrics.inputs import prepare
from volfuse.numerics.arithmetic import safe_ratio, safe_sqrt
from volfuse.numerics.ssim import SCALE_WEIGHTS, SIGMA, WINDOW_SIZE
from volfuse.numerics.windows import gaussian_weights, inner_mean

SCALES = 3
PIXELS = WINDOW_SIZE**2
BORDER = WINDOW_SIZE // 2
UNIFORM = torch.full((WINDOW_SIZE,), 1 / WINDOW_SIZE, dtype=torch.float64)
GAUSSIAN = gaussian_weights(WINDOW_SIZE, SIGMA)
STABILITY = (0.03 * 255) ** 2


def multi_exposure_structural_similarity(fused: Tensor, sources: Tensor) -> Tensor:
    r"""MEF-SSIM at three scales; what FusionMamba's tables call MS-SSIM.

    In every 11x11 window the desired patch has the highest contrast among the sources, and their structures
    averaged with weights that favour the strong ones the more the structures agree,

    .. math::
        \hat r = \max_k c_k \cdot \frac{\sum_k w_k s_k}{\lVert \sum_k w_k s_k \rVert}, \quad
        w_k \propto (c_k / 11)^p, \quad p = \tan\left(\frac{\pi}{2}
        \frac{\lVert \sum_k \tilde x_k \rVert}{\sum_k \lVert \tilde x_k \rVert}\right) \le 10, \quad
        Q = \mathrm{mean} \frac{2 \sigma_{\hat r F} + C}{\sigma_{\hat r}^2 + \sigma_F^2 + C}

    with :math:`\tilde x_k` a source's patch less its mean, :math:`c_k` its norm, :math:`s_k` the patch divided by
    that norm, and :math:`C = (0.03 \cdot 255)^2` (Ma, Zeng and Wang 2015, IEEE T. Image Process. 24). The result is
    :math:`\prod_j Q_j^{w_j}` over three scales with the first three weights of MS-SSIM, scaled to the sum 1.
    Needs 44 pixels along each side. Range 0..1, higher is better; identical inputs give 1. Brightness does not count
    and the maximum of the sources comes close to 1 by construction.
    """
    fused, sources = prepare(fused, sources, minimum_size=WINDOW_SIZE * 2 ** (SCALES - 1))
    fused, sources = 255 * fused, 255 * sources
    similarity = torch.ones((), dtype=fused.dtype, device=fused.device)
    for weight in SCALE_WEIGHTS[:SCALES]:
        quality = _similarity_to_desired(fused, sources).mean(dim=(1, 2))
        similarity = similarity * quality.clamp(min=1e-12) ** (weight / sum(SCALE_WEIGHTS[:SCALES]))
        fused, sources = _halved(fused), _halved(sources)
    return similarity


def _similarity_to_desired(fused: Tensor, sources: Tensor) -> Tensor:
    """Map (B, H - 10, W - 10) of one scale, from the covariances between all images in each window."""
    shares = _shares(sources)
    weighted = _covariances(torch.cat([fused, sources], dim=1), GAUSSIAN)
    covariance = torch.einsum("bkyx,bkyx->byx", shares, weighted[:, 1:, 0])
    desired_variance = torch.einsum("bkyx,blyx,bklyx->byx", shares, shares, weighted[:, 1:, 1:])
    return (2 * covariance + STABILITY) / (desired_variance + weighted[:, 0, 0] + STABILITY)


def _shares(sources: Tensor) -> Tensor:
    """What each source, in grey levels, is multiplied by in the desired patch: (B, N, H - 10, W - 10)."""
    uniform = PIXELS * _covariances(sources, UNIFORM)
    norms = safe_sqrt(uniform.diagonal(dim1=1, dim2=2)).movedim(-1, 1)
    consistency = safe_ratio(safe_sqrt(uniform.sum(dim=(1, 2))), norms.sum(dim=1), otherwise=1)
    exponent = torch.tan(math.pi / 2 * consistency.clamp(max=math.atan(10) * 2 / math.pi))
    contrast = norms + 0.001
    weights = (contrast / WINDOW_SIZE) ** exponent[:, None] + torch.finfo(contrast.dtype).eps
    shares = weights / weights.sum(dim=1, keepdim=True) / contrast
    squared_norm = torch.einsum("bkyx,blyx,bklyx->byx", shares, shares, uniform)
    return shares * safe_ratio(contrast.amax(dim=1), safe_sqrt(squared_norm))[:, None]


def _covariances(images: Tensor, window: Tensor) -> Tensor:
    """(B, N, H, W) -> (B, N, N, H - 10, W - 10)."""
    means = inner_mean(images, window)
    products = (images[:, :, None] * images[:, None]).flatten(1, 2)
    return (
        inner_mean(products, window).unflatten(1, (images.shape[1], -1)) - means[:, :, None] * means[:, None]
    )


def _halved(images: Tensor) -> Tensor:
    """Means of 2x2 pixels; an odd last row or column counts twice."""
    height, width = images.shape[2:]
    return F.avg_pool2d(F.pad(images, (0, width % 2, 0, height % 2), mode="replicate"), 2)
