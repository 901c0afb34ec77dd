"""Keep the local structure of all sources."""

from torch import Tensor, nn

from volfuse.numerics.ssim import ssim


def ssim_loss(fused: Tensor, sources: Tensor) -> Tensor:
    r"""One minus the mean structural similarity to the sources.

    .. math:: L_{ssim} = 1 - \frac{1}{N} \sum_i \mathrm{SSIM}(F, I_i)

    See :func:`volfuse.numerics.ssim.ssim` (TAFIE and LightFusionNet, SSIM term, averaged over the sources).

    Args:
        fused: (B, 1, H, W), values 0..1.
        sources: (B, N, H, W), values 0..1, any N.

    Returns:
        A scalar in 0..2; 0 if the fused image equals every source.
    """
    return 1 - ssim(fused, sources).mean()


class SSIMLoss(nn.Module):
    """:func:`ssim_loss` as a module, which a configuration can name."""

    def forward(self, fused: Tensor, sources: Tensor) -> Tensor:
        """See :func:`ssim_loss`."""
        return ssim_loss(fused, sources)
