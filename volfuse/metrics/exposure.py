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


class DesiredStructure:
    r"""The desired patches of :func:`multi_exposure_structural_similarity` at its second scale, and its gradient.

    The second scale, half the resolution, counts six times as much as the first. Windows continue the images beyond
    their border, which the metric does not.

    Args:
        sources: (B, N, H, W), values 0..1, any N, H and W.
    """

    def __init__(self, sources: Tensor) -> None:
        self.sources = _continued(_halved(sources))
        # A source with far less structure than another is amplified in the desired patch; beyond four times that
        # is noise.
        self.shares = _shares(255 * self.sources).clamp(max=4)
        self.means = inner_mean(self.sources, GAUSSIAN)
        covariances = _covariances(self.sources, GAUSSIAN)
        self.variance = torch.einsum("bkyx,blyx,bklyx->byx", self.shares, self.shares, covariances)[:, None]

    def ascent(self, fused: Tensor) -> Tensor:
        r"""Where the similarity rises: the derivative of its sum over all windows by each fused value, in closed form.

        With w the window, :math:`\mu` means within it, :math:`V = \sigma_{\hat r}^2 + \sigma_F^2 + C`, Q the similarity
        and :math:`a_k` the shares of the sources in :math:`\hat r` the result is

        .. math:: \sum_k x_k \left(w * \frac{2 a_k}{V}\right) - f \left(w * \frac{2 Q}{V}\right)
                  + w * \frac{2 Q \mu_F - 2 \sum_k a_k \mu_k}{V}

        Args:
            fused: (B, 1, H, W), values 0..1.

        Returns:
            (B, 1, H / 2, W / 2), rounded up; exact except in the five outermost rows and columns.
        """
        fused = _continued(_halved(fused))
        mean = inner_mean(fused, GAUSSIAN)
        variance = (inner_mean(fused.square(), GAUSSIAN) - mean.square()).clamp(min=0)
        covariances = inner_mean(fused * self.sources, GAUSSIAN) - mean * self.means
        covariance = (self.shares * covariances).sum(dim=1, keepdim=True)
        whole = self.variance + variance + STABILITY / 255**2
        similarity = (2 * covariance + STABILITY / 255**2) / whole
        offset = similarity * mean - (self.shares * self.means).sum(dim=1, keepdim=True)
        parts = 2 * torch.cat([self.shares, -similarity, offset], dim=1) / whole
        spread = inner_mean(F.pad(parts, (2 * BORDER,) * 4), GAUSSIAN)
        images = torch.cat([self.sources, fused, torch.ones_like(fused)], dim=1)
        return (images * spread).sum(dim=1, keepdim=True)[..., BORDER:-BORDER, BORDER:-BORDER]


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


def _continued(images: Tensor) -> Tensor:
    return F.pad(images, (BORDER,) * 4, mode="replicate")
