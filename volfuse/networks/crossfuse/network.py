"""CrossFuse: cross attention to what differs between the sources, with encoders trained beforehand.

Paper: Li and Wu, "CrossFuse: A novel cross attention mechanism based infrared and visible image fusion approach",
Information Fusion 103 (2024) 102147, doi:10.1016/j.inffus.2023.102147. Where the paper and its code differ, this
follows the code (``research/2026-11-crossfuse.md``).
"""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from volfuse.networks.crossfuse.attention import CrossAttentionModule
from volfuse.networks.crossfuse.autoencoder import (
    DEEP_CHANNELS,
    SHALLOW_CHANNELS,
    DenseBlock,
    DenseEncoder,
    reflect_conv,
    reflect_to,
    upsampler,
)
from volfuse.networks.crossfuse.skip_weights import WeightMode, detail_weights, intensity_weights

Fusion = Literal["cam", "cnn", "dense", "add"]
OutNorm = Literal["clip", "minmax", "volume"]

# Half a grey level of 8 bits: what varies less shows nothing.
FLAT = 0.5 / 255
FLAT_WINDOW = 7  # pixels


class CrossFuse(nn.Module):
    """Fuse two source images with 21.3 million parameters.

    Source 0 stands where the paper has the visible image (here MR), source 1 where it has the infrared one (CT, PET,
    SPECT), whose shallow features count half.

    Args:
        depth_self: blocks of each self attention, 1 to 3.
        depth_cross: blocks of each cross attention, 1 to 3.
        re_softmax: ``softmax(-QK^T / sqrt(d))`` in the cross attention; ``False`` for the usual softmax.
        shift: roll the windows before the second self attention; see :class:`CrossAttentionModule`.
        fusion: ``"cam"`` for the cross attention module, or what replaces it in the ablation: ``"cnn"``
            (four convolutions), ``"dense"`` (a dense block and a convolution), ``"add"``.
        freeze_encoders: train in two stages: ``encoders`` take over the weights of the encoders of two trained
            :class:`CrossFuseAutoEncoder` and stay as they are. ``False`` trains everything at once.
        weight_mode: ``"bounded"`` or, as published, ``"official"``; see :func:`intensity_weights`.
        out_norm: what brings the fused image to 0..1. ``"clip"`` trains the intensities themselves and clips them in
            evaluation mode. ``"minmax"`` stretches every image, as published, so that slices of a volume flicker;
            ``"volume"`` stretches all images of one call in the same way, so one call has to hold the whole volume.

    Raises:
        ValueError: for an option that does not exist.
    """

    num_sources = 2
    shallow_scales = (1.0, 0.5)

    def __init__(
        self,
        depth_self: int = 1,
        depth_cross: int = 1,
        re_softmax: bool = True,
        shift: bool = True,
        fusion: Fusion = "cam",
        freeze_encoders: bool = True,
        weight_mode: WeightMode = "bounded",
        out_norm: OutNorm = "clip",
    ) -> None:
        super().__init__()
        _check("depth_self", depth_self, (1, 2, 3))
        _check("depth_cross", depth_cross, (1, 2, 3))
        _check("fusion", fusion, get_args(Fusion))
        _check("weight_mode", weight_mode, get_args(WeightMode))
        _check("out_norm", out_norm, get_args(OutNorm))
        self.weight_mode = weight_mode
        self.out_norm = out_norm
        self.encoders = nn.ModuleList(DenseEncoder() for _ in range(self.num_sources))
        self.encoders.requires_grad_(not freeze_encoders)
        self.fusion: nn.Module
        match fusion:
            case "cam":
                self.fusion = CrossAttentionModule(depth_self, depth_cross, re_softmax, shift)
            case "cnn":
                widths = (2 * DEEP_CHANNELS, *[DEEP_CHANNELS] * 4)
                self.fusion = Concatenated(*map(reflect_conv, widths, widths[1:]))
            case "dense":
                self.fusion = Concatenated(
                    DenseBlock(2 * DEEP_CHANNELS), reflect_conv(DEEP_CHANNELS, DEEP_CHANNELS)
                )
            case "add":
                self.fusion = Sum()
        self.decoder = nn.Sequential(upsampler(_conv_norm), _conv_norm(SHALLOW_CHANNELS, SHALLOW_CHANNELS))
        norm = nn.BatchNorm2d(1)
        # Start near 0..1: normalised features vary by one to either side of zero.
        nn.init.constant_(norm.weight, 0.25)
        nn.init.constant_(norm.bias, 0.25)
        self.output = nn.Sequential(nn.Conv2d(SHALLOW_CHANNELS, 1, 1), norm)

    def forward(self, sources: Tensor) -> Tensor:
        """Fuse ``sources`` (B, 2, H, W), values 0..1, H and W at least 16, into (B, 1, H, W), values 0..1.

        Where neither source varies within 7x7 pixels (in the whole image, if that is stretched), the brighter one is
        returned: black around a head stays black.

        Raises:
            FusionError: if the images are smaller than 16x16.
        """
        shallow, deep = self._features(sources)
        fused = self.fusion(*deep)
        weights = intensity_weights(*deep, self.weight_mode)
        for features, weight in zip(deep, weights, strict=True):
            fused = fused + weight * features
        fused = reflect_to(self.decoder(fused), sources.shape[-2:])
        weights = detail_weights(*shallow, self.weight_mode)
        for features, weight, scale in zip(shallow, weights, self.shallow_scales, strict=True):
            fused = fused + scale * weight * features
        return self._in_unit_range(self.output(fused), sources)

    @torch.no_grad()
    def attention_maps(self, sources: Tensor) -> Tensor:
        """Return where the cross attention looks.

        Args:
            sources: (B, 2, H, W), values 0..1, H and W at least 16.

        Returns:
            (B, 2, H, W): per source how much attention of the other source each place gets in the first block, the
            mean over heads and queries. 1 is an even share of its window.

        Raises:
            ValueError: if the network fuses without cross attention.
        """
        if not isinstance(self.fusion, CrossAttentionModule):
            raise ValueError("only fusion='cam' has attention maps")
        maps = self.fusion.attention_maps(*self._features(sources)[1])
        return reflect_to(F.interpolate(maps, scale_factor=8), sources.shape[-2:])

    def _features(self, sources: Tensor) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Shallow features of both sources, deep features of both."""
        (shallow_first, deep_first), (shallow_second, deep_second) = (
            encoder(source) for encoder, source in zip(self.encoders, sources.split(1, dim=1), strict=True)
        )
        return (shallow_first, shallow_second), (deep_first, deep_second)

    def _in_unit_range(self, fused: Tensor, sources: Tensor) -> Tensor:
        fused = fused.to(sources.dtype)
        if self.out_norm == "clip":
            fused = fused if self.training else fused.clamp(0, 1)
        else:
            over = (0, 1, 2, 3) if self.out_norm == "volume" else (1, 2, 3)
            low, high = fused.amin(over, keepdim=True), fused.amax(over, keepdim=True)
            fused = (fused - low) / (high - low).clamp(min=1e-6)
        is_flat = self._contrast(sources).amax(dim=1, keepdim=True) < FLAT
        return torch.where(is_flat, sources.amax(dim=1, keepdim=True), fused)

    def _contrast(self, sources: Tensor) -> Tensor:
        """How much each source varies: nearby, or in the whole image where that is stretched as published."""
        if self.out_norm == "clip":
            brightest, darkest = (
                F.max_pool2d(sign * sources, FLAT_WINDOW, 1, FLAT_WINDOW // 2) for sign in (1, -1)
            )
            return brightest + darkest
        return sources.amax((2, 3), keepdim=True) - sources.amin((2, 3), keepdim=True)


class Concatenated(nn.Module):
    """Fuse two feature maps by layers that see both."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return self.layers(torch.cat([first, second], dim=1))


class Sum(nn.Module):
    """Fuse two feature maps by adding them."""

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return first + second


def _conv_norm(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(reflect_conv(in_channels, out_channels), nn.BatchNorm2d(out_channels))


def _check(name: str, value: object, allowed: Sequence[object]) -> None:
    if value not in allowed:
        *others, last = map(repr, allowed)
        raise ValueError(f"{name} must be {', '.join(others)} or {last}, not {value!r}")
