"""Keep the brightest source at every pixel."""

from torch import Tensor, nn


def intensity_loss(fused: Tensor, sources: Tensor) -> Tensor:
    r"""Mean absolute difference to the brightest source.

    .. math:: L_{int} = \frac{1}{HW} \lVert F - \max_i I_i \rVert_1

    (TAFIE and LightFusionNet, intensity term.)

    Args:
        fused: (B, 1, H, W), values 0..1.
        sources: (B, N, H, W), values 0..1, any N.

    Returns:
        A scalar, 0 or more; 0 if the fused image is the maximum of the sources.
    """
    return (fused - sources.amax(dim=1, keepdim=True)).abs().mean()


class IntensityLoss(nn.Module):
    """Module twin of :func:`intensity_loss`."""

    def forward(self, fused: Tensor, sources: Tensor) -> Tensor:
        """See :func:`intensity_loss`."""
        return intensity_loss(fused, sources)
