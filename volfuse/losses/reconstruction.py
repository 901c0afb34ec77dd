"""Reproduce an image: the loss of auto-encoders."""

from torch import Tensor, nn

from volfuse.losses.composite import WeightedSumLoss
from volfuse.numerics.ssim import SCALE_WEIGHTS, ssim_by_scale


def multiscale_ssim_loss(fused: Tensor, sources: Tensor, repeat_coarsest: bool = False) -> Tensor:
    r"""One minus the mean multi-scale structural similarity to the sources, of factors brought to 0..1.

    .. math:: L = 1 - \frac{1}{N} \sum_i \left(\frac{1 + SSIM_5(F, I_i)}{2}\right)^{w_5}
              \prod_{j=1}^{4} \left(\frac{1 + s_j(F, I_i)}{2}\right)^{w_j}

    :math:`s_j` is the mean of contrast times structure at scale :math:`j` (Wang, Simoncelli and Bovik 2003, eq. 7).
    Bringing the factors to 0..1 avoids powers of negative numbers, which occur early in training; the metric MS-SSIM
    counts negative factors as 0 instead. The 11x11 Gaussian window shrinks to what an image or one of its coarser
    scales has.

    Args:
        fused: (B, 1, H, W), values 0..1, H and W at least 16.
        sources: (B, N, H, W), values 0..1, any N.
        repeat_coarsest: multiply by the coarsest scale once for each of the four others, so that its exponent is
            :math:`4 w_5`, as the code of the authors of FusionMamba and CrossFuse does; the definition has it once.

    Returns:
        A scalar in 0..1; 0 if the fused image equals every source.
    """
    factors = (1 + ssim_by_scale(fused, sources)) / 2
    exponents = factors.new_tensor(SCALE_WEIGHTS)
    if repeat_coarsest:
        exponents[-1] *= len(SCALE_WEIGHTS) - 1
    return 1 - (factors**exponents).prod(dim=-1).mean()


class MultiScaleSSIMLoss(nn.Module):
    """:func:`multiscale_ssim_loss` as a module, which a configuration can name."""

    def __init__(self, repeat_coarsest: bool = False) -> None:
        super().__init__()
        self.repeat_coarsest = repeat_coarsest

    def forward(self, fused: Tensor, sources: Tensor) -> Tensor:
        """See :func:`multiscale_ssim_loss`."""
        return multiscale_ssim_loss(fused, sources, self.repeat_coarsest)


class ReconstructionLoss(WeightedSumLoss):
    """Mean squared error plus weighted :func:`multiscale_ssim_loss` (CrossFuse, eq. 7, whose plus sign is a misprint).

    Args:
        structure: weight of the second term. The default is the published 10,000, which goes with images of 0..255.
        repeat_coarsest: see :func:`multiscale_ssim_loss`.
    """

    def __init__(self, structure: float = 1e4 / 255**2, repeat_coarsest: bool = False) -> None:
        super().__init__([nn.MSELoss(), MultiScaleSSIMLoss(repeat_coarsest)], [1, structure])
