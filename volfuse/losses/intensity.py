"""Keep the brightest source at every pixel."""

import torch.nn.functional as F
from torch import Tensor, nn


def intensity_loss(fused: Tensor, sources: Tensor, squared: bool = False) -> Tensor:
    r"""Mean absolute or squared difference to the brightest source.

    .. math:: L_{int} = \frac{1}{HW} \lVert F - \max_i I_i \rVert_p^p

    (TAFIE and LightFusionNet, intensity term, p = 1; FusionMamba, eq. 11, p = 2.)

    Args:
        fused: (B, 1, H, W), values 0..1.
        sources: (B, N, H, W), values 0..1, any N.
        squared: p = 2 instead of 1.

    Returns:
        A scalar, 0 or more; 0 if the fused image is the maximum of the sources.
    """
    distance = F.mse_loss if squared else F.l1_loss
    return distance(fused, sources.amax(dim=1, keepdim=True))


class IntensityLoss(nn.Module):
    """:func:`intensity_loss` as a module, which a configuration can name."""

    def __init__(self, squared: bool = False) -> None:
        super().__init__()
        self.squared = squared

    def forward(self, fused: Tensor, sources: Tensor) -> Tensor:
        """See :func:`intensity_loss`."""
        return intensity_loss(fused, sources, self.squared)
