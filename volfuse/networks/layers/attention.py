"""Channel and spatial attention, as LightFusionNet's ablations and CSAFusion use them."""

import torch
from torch import Tensor, nn


class ChannelAttention(nn.Module):
    """Squeeze and excitation (Hu et al. 2018, arXiv:1709.01507): a weight per channel, (B, C, H, W) -> (B, C, H, W).

    Args:
        channels: C.
        reduction: C divided by the number of hidden units.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = channels // reduction
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, hidden, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, features: Tensor) -> Tensor:
        return features * self.weigh(features)


class SpatialAttention(nn.Module):
    """The spatial half of CBAM (Woo et al. 2018, arXiv:1807.06521): a weight per pixel, shape kept."""

    def __init__(self) -> None:
        super().__init__()
        self.weigh = nn.Sequential(nn.Conv2d(2, 1, 7, padding=3, bias=False), nn.Sigmoid())

    def forward(self, features: Tensor) -> Tensor:
        summary = torch.cat([features.mean(1, keepdim=True), features.amax(1, keepdim=True)], dim=1)
        return features * self.weigh(summary)
