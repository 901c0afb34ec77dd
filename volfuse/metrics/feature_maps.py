"""The feature maps that FMI compares, each (B, C, H, W) grey levels -> (B, C, h, w)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from volfuse.numerics.sobel import sobel

# The right half, from the middle on, of the low-pass filter of the discrete Meyer wavelet ("dmey" in MATLAB and
# PyWavelets): 61 weights, symmetric, behind one leading zero.
DISCRETE_MEYER_HALF = (
    0.7445855923188063,
    0.44459300275757724,
    -0.035087555656258346,
    -0.13284520043622938,
    0.030655091960824263,
    0.0637390243228016,
    -0.024348745906078023,
    -0.03213079399021176,
    0.017423434103729693,
    0.015270015130934803,
    -0.011061496392513451,
    -0.006387718318497156,
    0.006045814097323304,
    0.002202534100911002,
    -0.002704672124643725,
    -0.0006011502343516092,
    6.554305930575149e-05,
    -1.6312699734552807e-05,
    3.20544191334478e-06,
    7.367572885903746e-07,
    -1.489549216497156e-06,
    1.1307947017916706e-06,
    -5.506340565252278e-07,
    1.1783004497663934e-07,
    8.200680650386481e-08,
    -1.0866516536735883e-07,
    6.066975741351135e-08,
    -1.0798819539621958e-08,
    -1.111944952595278e-08,
    8.519459636796214e-09,
    -1.009999956941423e-12,
)


def horizontal_gradient(images: Tensor) -> Tensor:
    """Central differences along the rows, one-sided at the border: MATLAB's ``gradient`` with one output."""
    return torch.gradient(images, dim=3)[0]


def sobel_edges(images: Tensor) -> Tensor:
    """0 or 1: thin edges as MATLAB's ``edge`` with its defaults finds them.

    A pixel is an edge if its squared Sobel response is above four times the mean of the image, and not below its
    neighbours across the edge.
    """
    horizontal, vertical = (response.abs() / 8 for response in sobel(images))
    strength = horizontal**2 + vertical**2
    left, right = _neighbours(strength, dim=3)
    upper, lower = _neighbours(strength, dim=2)
    ridge_across_columns = (horizontal >= vertical) & (left <= strength) & (strength > right)
    ridge_across_rows = (vertical >= horizontal) & (upper <= strength) & (strength > lower)
    strong = strength > 4 * strength.mean(dim=(2, 3), keepdim=True)
    return (strong & (ridge_across_columns | ridge_across_rows)).to(images.dtype)


def cosine_transform(images: Tensor) -> Tensor:
    """Orthonormal discrete cosine transform (DCT-II) of the whole image."""
    rows, columns = (_cosines(size).to(images) for size in images.shape[2:])
    return _transform(rows, images, columns)


def wavelet_transform(images: Tensor) -> Tensor:
    """One level of the discrete Meyer wavelet; the approximation and the three details side by side.

    The border is mirrored, as MATLAB does by default. The details of the rows stand on the right, those of the columns
    below; the authors' code has them the other way round, which moves only the windows across the seams.
    """
    rows, columns = (_wavelet_analysis(size).to(images) for size in images.shape[2:])
    return _transform(rows, images, columns)


def _neighbours(images: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """The images moved by one pixel forwards and backwards along an axis; zeros come in."""
    padded = F.pad(images, (1, 1, 0, 0) if dim == 3 else (0, 0, 1, 1))
    size = images.shape[dim]
    return padded.narrow(dim, 0, size), padded.narrow(dim, 2, size)


def _cosines(size: int) -> Tensor:
    positions = torch.arange(size, dtype=torch.float64)
    cosines = torch.cos(math.pi / size * (positions + 0.5) * positions[:, None]) * math.sqrt(2 / size)
    cosines[0] /= math.sqrt(2)
    return cosines


def _wavelet_analysis(size: int) -> Tensor:
    """(2 M, size) matrix: M low-pass rows above M high-pass rows."""
    half = torch.tensor(DISCRETE_MEYER_HALF, dtype=torch.float64)
    low_pass = torch.cat([half.new_zeros(1), half.flip(0), half[1:]])
    signs = torch.ones_like(low_pass)
    signs[::2] = -1
    high_pass = signs * low_pass.flip(0)
    outputs = torch.arange((size + len(low_pass) - 1) // 2)[:, None]
    taps = 2 * outputs + 1 - torch.arange(len(low_pass))
    mirrored = taps % (2 * size)
    mirrored = torch.where(mirrored < size, mirrored, 2 * size - 1 - mirrored)
    bands = [torch.zeros(len(outputs), size, dtype=torch.float64) for _ in range(2)]
    for band, weights in zip(bands, (low_pass, high_pass), strict=True):
        band.scatter_add_(1, mirrored, weights.expand_as(mirrored))
    return torch.cat(bands)


def _transform(rows: Tensor, images: Tensor, columns: Tensor) -> Tensor:
    """The separable transform without its rounding errors.

    FMI stretches every window to its own range, so an error of 1e-13 in a constant region would become a feature.
    Each coefficient is rounded to 40 bits of what its terms add up to without their signs. (A fixed threshold would
    be wrong: far from any tissue the wavelet leaves values of 1e-24 which are exact, and public code counts them.)
    """
    coefficients = rows @ images @ columns.T
    magnitude = rows.abs() @ images.abs() @ columns.abs().T
    quantum = torch.ldexp(torch.ones_like(magnitude), torch.frexp(magnitude).exponent - 40)
    return (coefficients / quantum).round() * quantum
