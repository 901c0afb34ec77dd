"""DFFM, the dynamic feature fusion module, and its ablations (Table 8)."""

from typing import Literal

from torch import Tensor, nn

from volfuse.networks.fusionmamba.blocks import (
    Block,
    DescriptiveConv,
    EfficientChannelAttention,
    FeedForward,
    make_block,
)
from volfuse.networks.fusionmamba.scan2d import CrossES2D

Fusion = Literal["dffm", "dvss", "no_dfem", "no_cmfm"]


class FeatureEnhancement(nn.Module):
    """DFEM: add to each feature map its texture and what the other one lacks.

    ``D1 = LDC1(x1) + sigmoid(mean(x1 - x2)) * (x1 + x2) + x1``; D2 is its mirror image. Features (B, H, W, C).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.describe_first = DescriptiveConv(channels)
        self.describe_second = DescriptiveConv(channels)
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        both = first + second
        difference = self.pool((first - second).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return (
            self.describe_first(first) + difference.sigmoid() * both + first,
            self.describe_second(second) + (-difference).sigmoid() * both + second,
        )


class CrossModalityMamba(nn.Module):
    """CMFM: what a scan of both feature maps together finds, and the same with weighed channels."""

    def __init__(self, channels: int, state_size: int, official_gate: bool) -> None:
        super().__init__()
        self.norm_first = nn.LayerNorm(channels)
        self.norm_second = nn.LayerNorm(channels)
        self.scan = CrossES2D(channels, state_size, official_gate)
        self.attention = EfficientChannelAttention()

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        scanned = self.scan(self.norm_first(first), self.norm_second(second))
        return scanned + self.attention(scanned)


class DynamicFusion(nn.Module):
    """DFFM: enhance two feature maps (B, H, W, C), scan them together, add.

    Args:
        add_enhanced: the scan's result is added to the enhanced features (equation 8), not to the inputs as in
            the authors' code.
        enhance: without it DFEM is left out.
        scan: without it CMFM is left out, and the enhanced features are added.
        feed_forward: a feed-forward part follows, as in one revision of the authors' code.
    """

    def __init__(
        self,
        channels: int,
        state_size: int,
        official_gate: bool,
        add_enhanced: bool,
        enhance: bool = True,
        scan: bool = True,
        feed_forward: bool = False,
    ) -> None:
        super().__init__()
        self.enhance = FeatureEnhancement(channels) if enhance else None
        self.scan = CrossModalityMamba(channels, state_size, official_gate) if scan else None
        self.feed_forward = FeedForward(channels) if feed_forward else None
        self.add_enhanced = add_enhanced or not scan

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        enhanced = self.enhance(first, second) if self.enhance else (first, second)
        fused = enhanced[0] + enhanced[1] if self.add_enhanced else first + second
        fused = fused + self.scan(*enhanced) if self.scan else fused
        return fused + self.feed_forward(fused) if self.feed_forward else fused


class SumFusion(nn.Module):
    """Add two feature maps (B, H, W, C) and pass them through one block: what replaces DFFM in Table 8."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return self.block(first + second)


def make_fusion(
    kind: Fusion,
    channels: int,
    state_size: int,
    block: Block,
    official_gate: bool,
    feed_forward: bool = False,
) -> nn.Module:
    """A fusion of two feature maps (B, H, W, C) into one.

    Raises:
        ValueError: for an unknown ``kind``.
    """
    if kind == "dvss":
        return SumFusion(make_block(block, channels, state_size))
    if kind not in ("dffm", "no_dfem", "no_cmfm"):
        raise ValueError(f"fusion must be 'dffm', 'dvss', 'no_dfem' or 'no_cmfm', not {kind!r}")
    return DynamicFusion(
        channels,
        state_size,
        official_gate,
        add_enhanced=block == "paper",
        enhance=kind != "no_dfem",
        scan=kind != "no_cmfm",
        feed_forward=feed_forward,
    )
