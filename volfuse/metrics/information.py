r"""How much information the fused image holds, and how much of it comes from the sources.

All metrics here count 8-bit grey levels: with :math:`p_X` the histogram of ``round(255 X)`` divided by the number
of pixels,

.. math::
    H(X) = -\sum_k p_X(k) \log_2 p_X(k), \qquad I(X; Y) = H(X) + H(Y) - H(X, Y).

Counting is not differentiable.
"""

import math

import torch
from torch import Tensor

from volfuse.metrics.inputs import GREY_LEVELS, grey_levels, prepare, working_precision
from volfuse.numerics.arithmetic import safe_ratio


def entropy(fused: Tensor, sources: Tensor) -> Tensor:
    r"""EN: the Shannon entropy :math:`H(F)` of the fused image (Roberts et al. 2008, J. Appl. Remote Sens. 2).

    Noise raises it too, so it says nothing alone. Range 0..8 bits, higher is better; a constant image gives 0.
    Identical inputs give the entropy of the source. Public code that normalises each image to its own range, or
    that takes the natural logarithm, gives other numbers.
    """
    fused, _ = prepare(fused, sources)
    return _entropy(_histogram(grey_levels(fused), GREY_LEVELS))[:, 0]


def mutual_information(fused: Tensor, sources: Tensor) -> Tensor:
    r"""MI in bits: :math:`\sum_i I(F; I_i)` (Qu, Zhang and Yan 2002, Electron. Lett. 38).

    Range 0..8 N bits, higher is better; identical inputs give :math:`N\, H(F)`. Copying one source gives a high
    value by construction, so it means nothing alone. Public faults: the logarithm is natural in some code and
    base 2 in other (:func:`mutual_information_nats`); MATLAB's ``uint8 + 1`` saturates, so levels 254 and 255 fall
    together; CrossFuse's table prints exactly :math:`2 H(F)`.
    """
    fused_entropy, source_entropy, joint_entropy = _entropies(fused, sources)
    return (fused_entropy + source_entropy - joint_entropy).sum(dim=1)


def mutual_information_nats(fused: Tensor, sources: Tensor) -> Tensor:
    """MI with the natural logarithm, as scikit-learn and the CT columns of the papers have it.

    :func:`mutual_information` times ln 2; range 0..5.55 N, higher is better.
    """
    return mutual_information(fused, sources) * math.log(2)


def normalised_mutual_information(fused: Tensor, sources: Tensor) -> Tensor:
    r"""NMI: :math:`2 \sum_i I(F; I_i) / (H(F) + H(I_i))` (Hossny, Nahavandi and Creighton 2008, Electron. Lett. 44).

    Unlike MI it does not favour the source with the larger entropy. Range 0..N, higher is better; identical inputs
    give N, the number of sources. A source that is constant together with the fused image counts 0.
    """
    fused_entropy, source_entropy, joint_entropy = _entropies(fused, sources)
    total = fused_entropy + source_entropy
    return safe_ratio(2 * (total - joint_entropy), total).sum(dim=1)


def nonlinear_correlation_information_entropy(fused: Tensor, sources: Tensor) -> Tensor:
    r"""Q_NCIE: how far the fused image and its sources depend on each other as a set.

    With :math:`R` the matrix of the nonlinear correlation coefficients :math:`I(X; Y) / \log_2 256` of the
    :math:`K = N + 1` images (ones on the diagonal) and :math:`\lambda` its eigenvalues,

    .. math:: Q_{NCIE} = 1 + \sum_k \frac{\lambda_k}{K} \log_{256} \frac{\lambda_k}{K}

    (Wang, Shen and Jin 2008, in Image Fusion: Algorithms and Applications, ch. 19). Base 256 is what
    public code uses; it squeezes all values into about 0.80..1. Range :math:`1 - \log_{256} K` (independent
    images) to 1, higher is better; identical inputs give 1 only if they use all 256 levels equally often.
    The public code stretches every image to 0..255 first, this does not.
    """
    fused, sources = prepare(fused, sources)
    images = grey_levels(torch.cat([fused, sources], dim=1))
    number = images.shape[1]
    first, second = torch.triu_indices(number, number, offset=1)
    single = _entropy(_histogram(images, GREY_LEVELS))
    joint = _entropy(_joint_histogram(images[:, first], images[:, second]))
    correlation = torch.eye(number, dtype=joint.dtype, device=joint.device).repeat(images.shape[0], 1, 1)
    correlation[:, first, second] = (single[:, first] + single[:, second] - joint) / math.log2(GREY_LEVELS)
    correlation[:, second, first] = correlation[:, first, second]
    share = torch.linalg.eigvalsh(correlation).clamp(min=0) / number
    return 1 + torch.special.xlogy(share, share).sum(dim=1) / math.log(GREY_LEVELS)


def _entropies(fused: Tensor, sources: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """H(F) as (B, 1), H(I_i) and H(F, I_i) as (B, N)."""
    fused, sources = prepare(fused, sources)
    fused, sources = grey_levels(fused), grey_levels(sources)
    joint = _joint_histogram(sources, fused.expand_as(sources))
    fused_entropy = _entropy(_histogram(fused, GREY_LEVELS))
    return fused_entropy, _entropy(_histogram(sources, GREY_LEVELS)), _entropy(joint)


def _joint_histogram(first: Tensor, second: Tensor) -> Tensor:
    return _histogram(first * GREY_LEVELS + second, GREY_LEVELS**2)


def _histogram(levels: Tensor, number_of_bins: int) -> Tensor:
    """(B, C, H, W) with values 0..number_of_bins-1 -> (B, C, number_of_bins) relative frequencies."""
    batch, channels, height, width = levels.shape
    offsets = torch.arange(batch * channels, device=levels.device)[:, None] * number_of_bins
    bins = levels.reshape(batch * channels, -1) + offsets
    counts = torch.bincount(bins.flatten(), minlength=batch * channels * number_of_bins)
    frequencies = counts.to(working_precision(levels.device)) / (height * width)
    return frequencies.reshape(batch, channels, number_of_bins)


def _entropy(frequencies: Tensor) -> Tensor:
    return torch.special.entr(frequencies).sum(dim=-1).abs() / math.log(2)
