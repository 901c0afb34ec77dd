"""Keep the local structure of all sources."""

from monai.metrics.regression import compute_ssim_and_cs
from torch import Tensor, nn


def ssim_loss(fused: Tensor, sources: Tensor) -> Tensor:
    r"""One minus the mean structural similarity to the sources.

    .. math:: L_{ssim} = 1 - \frac{1}{N} \sum_i \mathrm{SSIM}(F, I_i)

    SSIM of Wang et al. 2004 with their 11x11 Gaussian window (sigma 1.5), K1 = 0.01, K2 = 0.03 and
    data range 1, over the pixels whose window lies inside the image (TAFIE and LightFusionNet, SSIM term,
    averaged over the sources).

    Args:
        fused: (B, 1, H, W), values 0..1, H and W at least 11.
        sources: (B, N, H, W), values 0..1, any N.

    Returns:
        A scalar in 0..2; 0 if the fused image equals every source.
    """
    similarity, _ = compute_ssim_and_cs(
        fused.expand_as(sources).contiguous(), sources, 2, kernel_size=(11, 11), kernel_sigma=(1.5, 1.5)
    )
    return 1 - similarity.mean()


class SSIMLoss(nn.Module):
    """Module twin of :func:`ssim_loss`."""

    def forward(self, fused: Tensor, sources: Tensor) -> Tensor:
        """See :func:`ssim_loss`."""
        return ssim_loss(fused, sources)
