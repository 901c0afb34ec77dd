"""Linear correlation with the sources. Both metrics are differentiable and serve as training losses."""

from itertools import combinations

import torch
from torch import Tensor

from volfuse.choices import Convention
from volfuse.metrics.inputs import is_published, prepare


def correlation_coefficient(fused: Tensor, sources: Tensor) -> Tensor:
    r"""CC: the mean Pearson correlation :math:`\frac{1}{N} \sum_i r(F, I_i)` (Deshmukh and Bhosale 2010).

    Range -1..1, higher is better; identical inputs give 1. A constant image correlates with nothing: 0. The plain
    average of the sources comes close to the maximum by construction, so it means nothing alone.
    """
    fused, sources = prepare(fused, sources)
    return pearson(fused, sources).mean(dim=1)


def sum_of_correlations_of_differences(
    fused: Tensor, sources: Tensor, *, convention: Convention = "reference"
) -> Tensor:
    r"""SCD: what the fused image adds to one source should look like the other.

    .. math:: SCD = r(F - B, A) + r(F - A, B)

    (Aslantas and Bendes 2015, AEU Int. J. Electron. Commun. 69; averaged over the pairs if there are
    more than two sources). Range -2..2, higher is better; identical inputs give 0, because a zero difference
    correlates with nothing. ``convention="published"``: the SCD columns of TAFIE and LightFusionNet are
    :math:`\sum_i r(F, I_i)`, N times CC.
    """
    published = is_published(convention)
    fused, sources = prepare(fused, sources)
    if published:
        return pearson(fused, sources).sum(dim=1)
    pairs = list(combinations(range(sources.shape[1]), 2))
    scores = [
        pearson(fused - sources[:, [second]], sources[:, [first]])
        + pearson(fused - sources[:, [first]], sources[:, [second]])
        for first, second in pairs
    ]
    return torch.cat(scores, dim=1).mean(dim=1)


def pearson(first: Tensor, second: Tensor) -> Tensor:
    """Correlation over height and width, (B, 1, H, W) with (B, C, H, W) -> (B, C).

    If either image is constant it is 0 and so is its gradient.
    """
    first, second = (image - image.mean(dim=(2, 3), keepdim=True) for image in (first, second))
    covariance = (first * second).mean(dim=(2, 3))
    variance_product = first.square().mean(dim=(2, 3)) * second.square().mean(dim=(2, 3))
    # Rounding leaves a constant image with a variance of about 1e-33; no 8-bit image of below a million pixels
    # that is not constant comes near 1e-12.
    varies = variance_product > 1e-24
    return (covariance / variance_product.where(varies, 1).sqrt()) * varies
