"""Structural similarity (SSIM) of two images, at one scale and at several.

Wang, Bovik, Sheikh and Simoncelli 2004, "Image quality assessment: from error visibility to structural similarity",
IEEE T. Image Process. 13, eq. 13; Wang, Simoncelli and Bovik 2003, "Multiscale structural similarity for image
quality assessment", Asilomar, eq. 7.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from volfuse.numerics.windows import gaussian_weights, local_moments

WINDOW_SIZE, SIGMA = 11, 1.5
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the scales, finest first (Wang, Simoncelli and Bovik 2003)."""


def ssim(first: Tensor, second: Tensor) -> Tensor:
    r"""Mean structural similarity of images of 0..1.

    .. math::
        SSIM(A, B) = \mathrm{mean} \frac{(2 \mu_A \mu_B + c_1)(2 \sigma_{AB} + c_2)}
                                        {(\mu_A^2 + \mu_B^2 + c_1)(\sigma_A^2 + \sigma_B^2 + c_2)},
        \quad c_1 = 0.01^2, \quad c_2 = 0.03^2

    under an 11x11 Gaussian window (sigma 1.5) that lies inside the image. In an image with a shorter side the window
    shrinks to that side.

    Args:
        first: (B, 1, H, W) or (B, C, H, W), values 0..1.
        second: (B, C, H, W), values 0..1.

    Returns:
        (B, C), values -1..1; identical images give 1.
    """
    luminance, structure = _factors(first, second)
    return (luminance * structure).mean(dim=(2, 3))


def ssim_by_scale(first: Tensor, second: Tensor) -> Tensor:
    """Factors of multi-scale SSIM, to be raised to :data:`SCALE_WEIGHTS` and multiplied.

    Every scale halves the last by 2x2 means.

    Args:
        first: (B, 1, H, W) or (B, C, H, W), values 0..1, H and W at least 16.
        second: (B, C, H, W), values 0..1.

    Returns:
        (B, C, 5), values -1..1: the mean of contrast times structure at four scales, finest first, and :func:`ssim`
        at the coarsest.
    """
    factors = []
    for _ in SCALE_WEIGHTS[:-1]:
        _, structure = _factors(first, second)
        factors.append(structure.mean(dim=(2, 3)))
        first, second = F.avg_pool2d(first, 2), F.avg_pool2d(second, 2)
    return torch.stack([*factors, ssim(first, second)], dim=-1)


def _factors(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Luminance, and contrast times structure, in each window: maps (B, C, H', W')."""
    size = min(WINDOW_SIZE, *second.shape[2:])
    moments = local_moments(first, second, gaussian_weights(size, SIGMA))
    luminance_constant, structure_constant = 0.01**2, 0.03**2
    luminance = (2 * moments.first_mean * moments.second_mean + luminance_constant) / (
        moments.first_mean**2 + moments.second_mean**2 + luminance_constant
    )
    structure = (2 * moments.covariance + structure_constant) / (
        moments.first_variance + moments.second_variance + structure_constant
    )
    return luminance, structure
