"""LightFusionNet: a very small fusion network with predictive context attention.

Paper: "LightFusionNet: a lightweight dual-stream network for multimodal medical image fusion"
(depthwise separable encoders, predictive context attention, mean fusion, one decoder).
The paper prints parameter and multiply-add counts rounded to two digits; depth and batch normalisation
were chosen as the smallest layout that meets all ten of them (``research/2026-11-lightfusionnet.md``).
"""

from typing import Literal

import torch
from torch import Tensor, nn

from volfuse.networks.layers.attention import ChannelAttention, SpatialAttention

Attention = Literal["pca", "conv", "ca", "sa"]


class SeparableConv(nn.Sequential):
    """Depthwise 3x3 then pointwise convolution, batch normalisation, ReLU.

    Without ``norm`` the pointwise convolution carries the bias that normalisation would make useless.
    """

    def __init__(self, in_channels: int, out_channels: int, norm: str | None) -> None:
        super().__init__(
            nn.Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels),
            nn.Conv2d(in_channels, out_channels, 1, bias=norm is None),
            *([nn.BatchNorm2d(out_channels)] if norm else []),
            nn.ReLU(inplace=True),
        )


class PlainConv(nn.Sequential):
    """3x3 convolution and ReLU: what replaces ``SeparableConv`` in the paper's "D/W -> Conv" ablation."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.ReLU(inplace=True))


class PredictiveContextAttention(nn.Module):
    """Strengthen what a bottleneck cannot predict: the prediction error of predictive coding.

    ``prediction = conv(relu(conv(x)))``, ``attention = sigmoid(conv1x1(|x - prediction|))``,
    ``y = x + x * attention``; shapes (B, C, H, W) -> (B, C, H, W).
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = channels // reduction
        self.predict = nn.Sequential(
            nn.Conv2d(channels, hidden, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(hidden, channels, 3, padding=1),
        )
        self.weigh = nn.Sequential(nn.Conv2d(channels, channels, 1), nn.Sigmoid())

    def forward(self, features: Tensor) -> Tensor:
        error = (features - self.predict(features)).abs()
        return features + features * self.weigh(error)


class LightFusionNet(nn.Module):
    """Fuse two source images with about 4,400 parameters.

    Args:
        base_channels: feature channels C (paper: 16; Table 4 varies 8, 16, 32).
        reduction: bottleneck ratio R of the attention (paper: 4; Table 4 varies 2, 4, 8).
        attention: ``"pca"`` as published, or its replacements in Table 3: ``"conv"`` (1x1 convolution),
            ``"ca"`` (channel attention), ``"sa"`` (spatial attention).
        depthwise: ``False`` replaces every separable convolution by a plain 3x3 one (Table 3).
        norm: ``"batch"`` or ``None``. Without it the network is smaller by 96 parameters, and some seeds
            never leave the first plateau of the loss.

    Raises:
        ValueError: for an unknown ``attention`` or ``norm``.
    """

    num_sources = 2

    def __init__(
        self,
        base_channels: int = 16,
        reduction: int = 4,
        attention: Attention = "pca",
        depthwise: bool = True,
        norm: Literal["batch"] | None = "batch",
    ) -> None:
        super().__init__()
        if norm not in ("batch", None):
            raise ValueError(f"norm must be 'batch' or None, not {norm!r}")

        def conv(in_channels: int, out_channels: int) -> nn.Module:
            if depthwise:
                return SeparableConv(in_channels, out_channels, norm)
            return PlainConv(in_channels, out_channels)

        def encoder() -> nn.Module:
            return nn.Sequential(
                conv(1, base_channels),
                conv(base_channels, base_channels),
                _attention(attention, base_channels, reduction),
            )

        self.encoders = nn.ModuleList(encoder() for _ in range(self.num_sources))
        self.decoder = nn.Sequential(
            conv(base_channels, base_channels),
            nn.Conv2d(base_channels, 1, 1),
            nn.Sigmoid(),
        )

    def forward(self, sources: Tensor) -> Tensor:
        """Fuse ``sources`` (B, 2, H, W), values 0..1, of any H and W, into (B, 1, H, W), values 0..1."""
        return self._decode(*self._encode(sources))

    def contributions(self, sources: Tensor) -> Tensor:
        """Divide the fused image between the sources.

        At every pixel it is divided in proportion to the mean strength of the features of each source, after attention
        has raised what is hard to predict; the decoder sees no more of them than their mean.

        Args:
            sources: (B, 2, H, W), values 0..1.

        Returns:
            (B, 2, H, W), 0 or more, in double precision: their sum, rounded to single, is exactly the fused image.
        """
        features = self._encode(sources)
        strengths = torch.cat([each.double().abs().mean(dim=1, keepdim=True) for each in features], dim=1)
        strengths += 1e-12  # both can be zero
        return self._decode(*features) * (strengths / strengths.sum(dim=1, keepdim=True))

    def _encode(self, sources: Tensor) -> list[Tensor]:
        images = sources.split(1, dim=1)
        return [encoder(image) for encoder, image in zip(self.encoders, images, strict=True)]

    def _decode(self, first: Tensor, second: Tensor) -> Tensor:
        return self.decoder(0.5 * (first + second))


def _attention(kind: Attention, channels: int, reduction: int) -> nn.Module:
    match kind:
        case "pca":
            return PredictiveContextAttention(channels, reduction)
        case "conv":
            return nn.Conv2d(channels, channels, 1)
        case "ca":
            return ChannelAttention(channels, reduction)
        case "sa":
            return SpatialAttention()
    raise ValueError(f"attention must be 'pca', 'conv', 'ca' or 'sa', not {kind!r}")
