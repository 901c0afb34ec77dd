"""DVSS, the dynamic vision state-space block, its parts, and what the paper compares it with (Table 7)."""

from typing import Literal

import torch
import torch.nn.functional as F
from monai.networks.layers import DropPath
from torch import Tensor, nn

from volfuse.networks.fusionmamba.scan2d import ES2D, DepthwiseConv

Block = Literal["official", "paper", "evss", "transformer"]


class DescriptiveConv(nn.Module):
    """Learnable descriptive convolution of (B, H, W, C): a 3x3 kernel that learns how much of a gradient it is.

    The centre tap is weighted with ``1 - theta * mask * (sum of the kernel)`` (Huang et al. 2023, "LDCformer",
    doi:10.1109/ICIP49359.2023.10222330).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Conv2d(channels, channels, 3, bias=False).weight
        self.mask = nn.Parameter(torch.ones(channels, channels, 1, 1))
        self.theta = nn.Parameter(torch.tensor(0.5))

    def forward(self, features: Tensor) -> Tensor:
        center = self.theta * self.mask * self.weight.sum((2, 3), keepdim=True)
        kernel = self.weight * (1 - F.pad(center, (1, 1, 1, 1)))
        return F.conv2d(features.permute(0, 3, 1, 2), kernel, padding=1).permute(0, 2, 3, 1)


class EfficientChannelAttention(nn.Module):
    """Weigh the channels of (B, H, W, C) by their neighbours' means (Wang et al. 2020, arXiv:1910.03151)."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.conv = nn.Conv1d(1, 1, 3, padding=1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        means = self.pool(features.permute(0, 3, 1, 2)).flatten(2)
        weights = self.conv(means.transpose(1, 2)).sigmoid()
        return features * weights[:, :, None]


class ChannelGate(nn.Module):
    """Weigh the channels of (B, H, W, C) by their normalised means, through an eighth of them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.reduce = nn.Linear(channels, channels // 8)
        self.expand = nn.Linear(channels // 8, channels)

    def forward(self, features: Tensor) -> Tensor:
        means = self.norm(features).mean((1, 2), keepdim=True)
        return features * self.expand(F.gelu(self.reduce(means))).sigmoid()


class FeedForward(nn.Sequential):
    """Normalise, widen fourfold, GELU, narrow: what follows the mixing of positions in every block."""

    def __init__(self, channels: int) -> None:
        super().__init__(
            nn.LayerNorm(channels),
            nn.Linear(channels, 4 * channels),
            nn.GELU(),
            nn.Linear(4 * channels, channels),
        )


class SelfAttention(nn.Module):
    """Multi-head attention between all positions of (B, H, W, C), about 32 channels a head."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.heads = max(1, channels // 32)
        self.enter = nn.Linear(channels, 3 * channels)
        self.leave = nn.Linear(channels, channels)

    def forward(self, features: Tensor) -> Tensor:
        tokens = self.enter(features).flatten(1, 2).unflatten(-1, (3, self.heads, -1))
        query, key, value = tokens.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return self.leave(mixed.transpose(1, 2).flatten(2)).view_as(features)


class DVSS(nn.Module):
    """Scan, describe what the scan found by a dynamic convolution, weigh both: as in the authors' code."""

    def __init__(self, channels: int, state_size: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.scan = ES2D(channels, state_size)
        self.attention = EfficientChannelAttention()
        self.describe = DescriptiveConv(channels)
        self.gate = ChannelGate(channels)

    def forward(self, features: Tensor) -> Tensor:
        scanned = self.scan(self.norm(features))
        described = self.describe(scanned + self.attention(scanned))
        return self.gate(scanned) + self.gate(described)


class EVSS(nn.Module):
    """The block of EfficientVMamba: a scan and a plain depthwise convolution side by side."""

    def __init__(self, channels: int, state_size: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.scan = ES2D(channels, state_size)
        self.conv = DepthwiseConv(channels)
        self.gate_scan = ChannelGate(channels)
        self.gate_conv = ChannelGate(channels)

    def forward(self, features: Tensor) -> Tensor:
        normed = self.norm(features)
        return self.gate_scan(self.scan(normed)) + self.gate_conv(self.conv(normed))


class Residual(nn.Module):
    """``x + mix(x)``, then ``x + feed_forward(x)``, with stochastic depth."""

    def __init__(self, mix: nn.Module, channels: int, drop_path: float) -> None:
        super().__init__()
        self.mix = mix
        self.feed_forward = FeedForward(channels)
        self.drop_path = DropPath(drop_path)

    def forward(self, features: Tensor) -> Tensor:
        features = features + self.drop_path(self.mix(features))
        return features + self.drop_path(self.feed_forward(features))


class PaperDVSS(nn.Module):
    """Equation 5 as printed: ``ECA(LN(ES2D(LN(x)))) + LDC(x)``."""

    def __init__(self, channels: int, state_size: int) -> None:
        super().__init__()
        self.scan = nn.Sequential(
            nn.LayerNorm(channels),
            ES2D(channels, state_size),
            nn.LayerNorm(channels),
            EfficientChannelAttention(),
        )
        self.describe = DescriptiveConv(channels)

    def forward(self, features: Tensor) -> Tensor:
        return self.scan(features) + self.describe(features)


def make_block(kind: Block, channels: int, state_size: int, drop_path: float = 0.0) -> nn.Module:
    """A block (B, H, W, C) -> (B, H, W, C).

    Raises:
        ValueError: for an unknown ``kind``.
    """
    match kind:
        case "official":
            return Residual(DVSS(channels, state_size), channels, drop_path)
        case "paper":
            return PaperDVSS(channels, state_size)
        case "evss":
            return Residual(EVSS(channels, state_size), channels, drop_path)
        case "transformer":
            mix = nn.Sequential(nn.LayerNorm(channels), SelfAttention(channels))
            return Residual(mix, channels, drop_path)
    raise ValueError(f"block must be 'official', 'paper', 'evss' or 'transformer', not {kind!r}")
