"""Contrast and sharpness of the fused image alone, on grey levels 0..255. None of them uses the sources."""

import torch
from torch import Tensor

from volfuse.choices import Convention
from volfuse.metrics.inputs import grey_levels, is_published, prepare
from volfuse.numerics.arithmetic import safe_sqrt


def standard_deviation(fused: Tensor, sources: Tensor) -> Tensor:
    r"""SD: :math:`\sqrt{\frac{1}{HW} \sum (F - \bar F)^2}`.

    Range 0..127.5 grey levels, higher is better (more contrast); a constant image gives 0, identical inputs the
    value of the source. CrossFuse's table lacks the 1/(HW) and is on 0..1.
    """
    fused, _ = prepare(fused, sources)
    return 255 * fused.flatten(1).std(dim=1, correction=0)


def spatial_frequency(fused: Tensor, sources: Tensor, *, convention: Convention = "reference") -> Tensor:
    r"""SF: the root of the mean squared steps between neighbours (Eskicioglu and Fisher 1995, IEEE T. Commun. 43).

    .. math:: SF = \sqrt{\mathrm{mean}[(F_{y,x} - F_{y,x-1})^2] + \mathrm{mean}[(F_{y,x} - F_{y-1,x})^2]}

    Range 0..360.6 grey levels, higher is better (also for noise); a constant image gives 0, identical inputs the
    value of the source. ``convention="published"``: TAFIE and LightFusionNet computed it on ``uint8`` arrays, where
    differences and squares wrap around modulo 256, which gives about a quarter of the true value.
    """
    wraps = is_published(convention)
    fused, _ = prepare(fused, sources)
    image = _eight_bit(fused) if wraps else 255 * fused
    squares = [(image.diff(dim=dim) ** 2).to(fused.dtype).mean(dim=(1, 2, 3)) for dim in (2, 3)]
    return safe_sqrt(squares[0] + squares[1])


def average_gradient(fused: Tensor, sources: Tensor, *, convention: Convention = "reference") -> Tensor:
    r"""AG: the mean of :math:`\sqrt{(G_x^2 + G_y^2) / 2}` (Cui et al. 2015, Opt. Commun. 341).

    The derivatives are central differences, one-sided at the border (``numpy.gradient``). Range 0..255 grey levels,
    higher is better (also for noise); a constant image gives 0, identical inputs the value of the source.
    ``convention="published"``: on ``uint8`` arrays differences wrap around modulo 256 before they are halved
    (rounded down) and squares wrap around again, which gives a half to a third of the true value.
    """
    wraps = is_published(convention)
    fused, _ = prepare(fused, sources)
    image = _eight_bit(fused) if wraps else 255 * fused
    down, across = (_central_difference(image, dim) ** 2 for dim in (2, 3))
    return safe_sqrt((down + across).to(fused.dtype) / 2).mean(dim=(1, 2, 3))


def _eight_bit(fused: Tensor) -> Tensor:
    """Grey levels in torch's uint8, whose arithmetic wraps around as NumPy's does."""
    return grey_levels(fused).to(torch.uint8)


def _central_difference(image: Tensor, dim: int) -> Tensor:
    size = image.shape[dim]
    inner = image.narrow(dim, 2, size - 2) - image.narrow(dim, 0, size - 2)
    inner = inner // 2 if image.dtype == torch.uint8 else inner / 2
    first = image.narrow(dim, 1, 1) - image.narrow(dim, 0, 1)
    last = image.narrow(dim, size - 1, 1) - image.narrow(dim, size - 2, 1)
    return torch.cat([first, inner, last], dim=dim)
