r"""Feature mutual information (FMI): how much of the features in every small window can be told from the fused image.

In each 3x3 window the features of both images, stretched to 0..1 and divided by their sum, are read as probability
distributions p and q over the nine pixels. Their joint distribution is not known; FMI takes the mixture of the
independent one with the most dependent one (Frechet's bound), such that the correlation is that of p and q:

.. math::
    r_{ij} = \varphi\, u_{ij} + (1 - \varphi)\, p_i q_j, \qquad
    FMI = \frac{1}{N} \sum_n \mathrm{mean}_{windows} \frac{2\, I(p; q)}{H(p) + H(q)}

(Haghighat, Aghagolzadeh and Seyedarabi 2011, Comput. Electr. Eng. 37; in windows of 3x3: Haghighat and Razian 2014,
Fast-FMI, AICT). Range 0..1, higher is better; identical inputs give 1. A window that is flat in one image only
gives 0. Not differentiable: the images are rounded to 8 bits. As in the authors' code the pixels of a window are
numbered down the columns, so transposed images differ by up to 0.004.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from volfuse.metrics import feature_maps
from volfuse.metrics.inputs import grey_levels, prepare
from volfuse.numerics.arithmetic import safe_ratio

WINDOW = 3
PIXELS = WINDOW**2


def feature_mutual_information_edge(fused: Tensor, sources: Tensor) -> Tensor:
    """FMI of thin binary Sobel edges: the default of the authors' code, FMI_pixel of CrossFuse, FMI of FusionMamba."""
    return _feature_mutual_information(fused, sources, feature_maps.sobel_edges)


def feature_mutual_information_gradient(fused: Tensor, sources: Tensor) -> Tensor:
    """FMI of the horizontal derivative; the authors' code leaves the vertical one out."""
    return _feature_mutual_information(fused, sources, feature_maps.horizontal_gradient)


def feature_mutual_information_dct(fused: Tensor, sources: Tensor) -> Tensor:
    """FMI of the cosine transform of the whole image (windows of neighbouring frequencies)."""
    return _feature_mutual_information(fused, sources, feature_maps.cosine_transform)


def feature_mutual_information_wavelet(fused: Tensor, sources: Tensor) -> Tensor:
    """FMI of one level of the discrete Meyer wavelet."""
    return _feature_mutual_information(fused, sources, feature_maps.wavelet_transform)


def feature_mutual_information_pixel(fused: Tensor, sources: Tensor) -> Tensor:
    """FMI of the grey levels themselves. What papers call FMI_pixel is mostly FMI of edges."""
    return _feature_mutual_information(fused, sources, lambda images: images)


def _feature_mutual_information(
    fused: Tensor, sources: Tensor, extract: Callable[[Tensor], Tensor]
) -> Tensor:
    fused, sources = prepare(fused, sources, minimum_size=WINDOW)
    images = torch.cat([fused, sources], dim=1)
    windows = _windows(extract(grey_levels(images).to(images.dtype)))
    return torch.stack(
        [torch.stack([_mean_information(source, one[0]) for source in one[1:]]).mean() for one in windows]
    )


def _windows(features: Tensor) -> Tensor:
    """(B, C, 9, number of windows), the pixels numbered down the columns."""
    columns_first = features.transpose(2, 3).flatten(0, 1)[:, None]
    return F.unfold(columns_first, WINDOW).unflatten(0, features.shape[:2])


def _mean_information(first: Tensor, second: Tensor) -> Tensor:
    """Mean over the windows of the normalised mutual information of (9, windows) with (9, windows)."""
    equal = (first == second).all(dim=0)
    flat = (first.amax(dim=0) == first.amin(dim=0)) | (second.amax(dim=0) == second.amin(dim=0))
    undecided = ~(equal | flat)
    # 81 cells per window: chunks that stay in a processor's cache are faster and bound the memory.
    chunk = 2048 if first.device.type == "cpu" else 65536
    pairs = zip(
        first[:, undecided].split(chunk, dim=1), second[:, undecided].split(chunk, dim=1), strict=True
    )
    total = sum((_normalised_information(p, q).sum(dtype=first.dtype) for p, q in pairs), start=equal.sum())
    return total / equal.numel()


def _normalised_information(first: Tensor, second: Tensor) -> Tensor:
    """(9, windows), none flat -> (windows,)."""
    first, second = _distribution(first), _distribution(second)
    covariance = ((first - 1 / PIXELS) * (second - 1 / PIXELS)).sum(dim=0)
    spread = (first - 1 / PIXELS).square().sum(dim=0) * (second - 1 / PIXELS).square().sum(dim=0)
    correlation = covariance / spread.sqrt()
    # A negative correlation uses Frechet's lower bound, which is the upper bound with one image read backwards.
    second = torch.where(correlation < 0, second.flip(0), second)
    first_cumulative, second_cumulative = first.cumsum(dim=0), second.cumsum(dim=0)
    both = torch.minimum(first_cumulative[:, None], second_cumulative)
    # Hoeffding's identity: the covariance of two positions is the sum of how far their joint distribution function
    # exceeds the product of the single ones.
    most = both.sum(dim=(0, 1)) - first_cumulative.sum(dim=0) * second_cumulative.sum(dim=0)
    deviations = _position_variance(first) * _position_variance(second)
    mixture = safe_ratio(correlation.abs() * deviations.sqrt(), most)
    neither = torch.maximum(_shifted(first_cumulative)[:, None], _shifted(second_cumulative))
    bound = (both - neither).clamp(min=0)
    # Logarithms in single precision take a fifth of the time, and the mean over the windows does not see it.
    joint = (mixture * bound + ((1 - mixture) * first)[:, None] * second).float()
    entropies = _entropy(first) + _entropy(second)
    shared = entropies - _entropy(joint.flatten(0, 1))
    # Two single bright pixels have no entropy at all, so nothing to share.
    return safe_ratio(2 * shared, entropies)


def _distribution(features: Tensor) -> Tensor:
    stretched = features - features.amin(dim=0)
    return stretched / stretched.sum(dim=0)


def _position_variance(distribution: Tensor) -> Tensor:
    positions = torch.arange(PIXELS, dtype=distribution.dtype, device=distribution.device)[:, None]
    mean = (positions * distribution).sum(dim=0)
    return ((positions - mean) ** 2 * distribution).sum(dim=0)


def _shifted(cumulative: Tensor) -> Tensor:
    """The sum before each pixel instead of up to it."""
    return F.pad(cumulative[:-1], (0, 0, 1, 0))


def _entropy(distribution: Tensor) -> Tensor:
    # The mixture leaves 0..1 where it extrapolates; the authors' code takes the real part of the logarithm.
    # A plain logarithm is vectorised, torch.special.entr is not.
    return -(distribution * distribution.abs().clamp(min=1e-30).log()).sum(dim=0)
