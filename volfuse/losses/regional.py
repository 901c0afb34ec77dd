"""Follow, at every pixel, the source that is brighter around it."""

import torch.nn.functional as F
from torch import Tensor, nn

RADIUS = 5


def regional_intensity_loss(fused: Tensor, sources: Tensor) -> Tensor:
    r"""Mean squared difference to the source whose mean over 11x11 pixels is the largest.

    .. math:: L = \frac{1}{HW} \lVert F - I_{m} \rVert_2^2, \quad m = \arg\max_i (\mathrm{box}_{11} * I_i)

    (CrossFuse, intensity term.) The target is an image of whole regions, not of single bright pixels.

    Args:
        fused: (B, 1, H, W), values 0..1.
        sources: (B, N, H, W), values 0..1, any N.

    Returns:
        A scalar, 0 or more; 0 if the fused image follows the brighter source everywhere.
    """
    brightness = F.avg_pool2d(sources, 2 * RADIUS + 1, stride=1, padding=RADIUS)
    target = sources.gather(1, brightness.argmax(dim=1, keepdim=True))
    return F.mse_loss(fused, target)


class RegionalIntensityLoss(nn.Module):
    """:func:`regional_intensity_loss` as a module, which a configuration can name."""

    def forward(self, fused: Tensor, sources: Tensor) -> Tensor:
        """See :func:`regional_intensity_loss`."""
        return regional_intensity_loss(fused, sources)
