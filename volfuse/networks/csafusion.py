"""CSAFusion: convolutions adapted to the image, parallel encoder branches, Swin blocks in the decoder.

Paper: "CSAFusion: a convolutional neural network (CNN)-based and Swin Transformer network for multi-modal medical image
fusion", Quantitative Imaging in Medicine and Surgery, qims.amegroups.org/article/view/149367 (PET-MRI, SPECT-MRI and
T1-T2). It has no code and does not fix every layer: ``research/2026-11-csafusion.md`` says what was chosen.
The adaptive convolution is the context-gated convolution of Lin et al. 2020 (arXiv:1910.05577) as MATR uses it
(Tang et al. 2022, doi:10.1109/TIP.2022.3193288); squeeze and excitation of Hu et al. 2018, the spatial half of
CBAM (Woo et al. 2018), Swin blocks of Liu et al. 2021.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from monai.networks.blocks import MLPBlock
from monai.networks.nets.swin_unetr import SwinTransformerBlock, compute_mask, get_window_size
from torch import Tensor, nn

from volfuse.networks.layers.attention import ChannelAttention, SpatialAttention

HEADS, MLP_RATIO, WINDOW, REDUCTION = 4, 4, 8, 16


class AdaptiveConv(nn.Module):
    """3x3 convolution with a kernel of its own for every image.

    ``kernel[o, c] = weight[o, c] * sigmoid(in[c] + out[o])``: ``in`` and ``out`` are 3x3 gates decoded from a code of
    the input that is pooled to 3x3 per channel. Shapes (B, C, H, W) -> (B, O, H, W), any H and W.

    Args:
        in_channels: C, at most 16 or a multiple of 16, because the code is mixed across groups of 16 channels.
        out_channels: O, a multiple of the number of those groups.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        taps, code, self.group = 9, 5, min(in_channels, 16)
        self.weight = nn.Parameter(nn.Conv2d(in_channels, out_channels, 3).weight.detach())
        self.pool = nn.AdaptiveAvgPool2d(3)
        self.encode = nn.Linear(taps, code, bias=False)
        self.input_norm, self.mix_norm = nn.BatchNorm1d(in_channels), nn.BatchNorm1d(in_channels)
        self.mix = nn.Linear(self.group, out_channels * self.group // in_channels, bias=False)
        self.output_norm = nn.BatchNorm1d(out_channels)
        self.decode_input = nn.Linear(code, taps, bias=False)
        self.decode_output = nn.Linear(code, taps, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        batch, channels, height, width = features.shape
        # The images of a batch become groups of one convolution, because each has its own kernel.
        convolved = F.conv2d(
            features.reshape(1, batch * channels, height, width),
            self.kernels(features).flatten(0, 1),
            padding=1,
            groups=batch,
        )
        return convolved.reshape(batch, -1, height, width)

    def kernels(self, features: Tensor) -> Tensor:
        """Kernels (B, O, C, 3, 3) for ``features`` (B, C, H, W)."""
        code = self.encode(self.pool(features).flatten(2))
        of_input = self.decode_input(self.input_norm(code).relu())
        groups = self.mix_norm(code).relu().unflatten(1, (-1, self.group))
        mixed = self.mix(groups.transpose(2, 3)).transpose(2, 3).flatten(1, 2)
        of_output = self.decode_output(self.output_norm(mixed).relu())
        gates = (of_input[:, None] + of_output[:, :, None]).sigmoid()
        return self.weight * gates.unflatten(3, (3, 3))


class ParallelBranches(nn.Module):
    """The same input through several branches, and a 1x1 fusion module that joins them."""

    def __init__(self, branches: Sequence[nn.Module], channels: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.fusion = _activated(nn.Conv2d(len(branches) * channels, channels, 1, bias=False))

    def forward(self, features: Tensor) -> Tensor:
        return self.fusion(torch.cat([branch(features) for branch in self.branches], dim=1))


class SwinStage(nn.Module):
    """Attention within windows of 8x8, then within windows shifted by half; (B, C, H, W), any H and W."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            SwinTransformerBlock(
                channels, HEADS, (WINDOW, WINDOW), (shift, shift), MLP_RATIO, use_flash_attention=True
            )
            for shift in (0, WINDOW // 2)
        )

    def forward(self, features: Tensor) -> Tensor:
        height, width = features.shape[2:]
        padded = F.pad(features, (0, -width % WINDOW, 0, -height % WINDOW), mode="replicate")
        tokens = padded.permute(0, 2, 3, 1)
        # A side of a single window is not shifted, on which the mask depends.
        window, shift = get_window_size(tokens.shape[1:3], (WINDOW, WINDOW), (WINDOW // 2, WINDOW // 2))
        mask = compute_mask(tokens.shape[1:3], window, shift, tokens.device)
        for block in self.blocks:
            tokens = block(tokens, mask)
        return tokens.permute(0, 3, 1, 2)[..., :height, :width]


class GlobalBlock(nn.Module):
    """A plain Transformer block over all pixels, (B, C, H, W): what replaces a Swin block in Table 2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.attention_norm, self.mlp_norm = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.query_key_value = nn.Linear(channels, 3 * channels)
        self.project = nn.Linear(channels, channels)
        self.mlp = MLPBlock(channels, MLP_RATIO * channels)

    def forward(self, features: Tensor) -> Tensor:
        tokens = features.flatten(2).transpose(1, 2)
        heads = self.query_key_value(self.attention_norm(tokens)).unflatten(2, (3, HEADS, -1))
        attended = F.scaled_dot_product_attention(*heads.permute(2, 0, 3, 1, 4))
        tokens = tokens + self.project(attended.transpose(1, 2).flatten(2))
        tokens = tokens + self.mlp(self.mlp_norm(tokens))
        return tokens.transpose(1, 2).unflatten(2, features.shape[2:])


class DecoderStage(nn.Module):
    """Double the size, halve the channels, transform, and join the features of the encoder."""

    def __init__(
        self, in_channels: int, out_channels: int, transformer: nn.Module, attention: nn.Module
    ) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(in_channels, out_channels, 1)
        self.transformer = transformer
        self.join = nn.Sequential(
            _activated(nn.Conv2d(2 * out_channels, out_channels, 3, padding=1, bias=False)), attention
        )

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        enlarged = F.interpolate(features, size=skip.shape[2:], mode="bilinear")
        return self.join(torch.cat([self.transformer(self.reduce(enlarged)), skip], dim=1))


class CSAFusion(nn.Module):
    """Fuse two source images with about 577,000 parameters.

    Args:
        channels: feature channels at full, half and quarter resolution, multiples of 16.
        dual_fusion: ``False`` runs the branches of an encoder level one after the other, without the module that
            joins them (Table 2).
        attention: ``False`` leaves out channel and spatial attention (Table 2).
        adaptive_swin: ``False`` replaces the adaptive convolution by a plain one and the Swin blocks by plain
            Transformer blocks (Table 2). Their time grows with the square of the number of pixels.
        adaptive_stem: ``True`` makes the first two convolutions adaptive too, as one passage of the paper says.

    Raises:
        ValueError: if ``channels`` are not three multiples of 16.
    """

    num_sources = 2

    def __init__(
        self,
        channels: Sequence[int] = (32, 64, 128),
        dual_fusion: bool = True,
        attention: bool = True,
        adaptive_swin: bool = True,
        adaptive_stem: bool = False,
    ) -> None:
        super().__init__()
        if len(channels) != 3 or any(width < 16 or width % 16 for width in channels):
            raise ValueError(f"channels must be three multiples of 16, not {tuple(channels)}")
        full, half, quarter = channels

        def weigh(width: int) -> nn.Module:
            return ChannelAttention(width, REDUCTION) if attention else nn.Identity()

        def conv(inputs: int, outputs: int, adaptive: bool = False) -> nn.Module:
            if adaptive:
                return _activated(AdaptiveConv(inputs, outputs))
            return _activated(nn.Conv2d(inputs, outputs, 3, padding=1, bias=False))

        def extract(inputs: int, outputs: int, adaptive: bool = False) -> nn.Module:
            return nn.Sequential(conv(inputs, outputs, adaptive), weigh(outputs))

        def encoder(inputs: int, outputs: int, branches: int) -> nn.Module:
            if dual_fusion:
                return ParallelBranches([extract(inputs, outputs) for _ in range(branches)], outputs)
            widths = [inputs, *[outputs] * branches]
            return nn.Sequential(*(extract(*pair) for pair in pairwise(widths)))

        def transformer(width: int) -> nn.Module:
            return (
                SwinStage(width) if adaptive_swin else nn.Sequential(GlobalBlock(width), GlobalBlock(width))
            )

        def decoder(inputs: int, outputs: int) -> nn.Module:
            return DecoderStage(inputs, outputs, transformer(outputs), weigh(outputs))

        self.stem = nn.Sequential(
            conv(self.num_sources, full, adaptive_stem), conv(full, full, adaptive_stem)
        )
        self.encoder_full = extract(full, full, adaptive_swin)
        self.encoder_half = encoder(full, half, branches=2)
        self.encoder_quarter = encoder(half, quarter, branches=3)
        self.decoder_half = decoder(quarter, half)
        self.decoder_full = decoder(half, full)
        self.head = nn.Sequential(
            SpatialAttention() if attention else nn.Identity(), nn.Conv2d(full, 1, 1), nn.Sigmoid()
        )

    def forward(self, sources: Tensor) -> Tensor:
        """Fuse ``sources`` (B, 2, H, W), values 0..1, of any H and W, into (B, 1, H, W), values 0..1."""
        full = self.encoder_full(self.stem(sources))
        half = self.encoder_half(_halve(full))
        quarter = self.encoder_quarter(_halve(half))
        return self.head(self.decoder_full(self.decoder_half(quarter, half), full))


def _activated(conv: nn.Conv2d | AdaptiveConv) -> nn.Module:
    width = conv.weight.shape[0]
    return nn.Sequential(conv, nn.BatchNorm2d(width), nn.ReLU(inplace=True))


def _halve(features: Tensor) -> Tensor:
    # Rounded up, so that the last row and column of odd sizes count and a single pixel stays one.
    return F.max_pool2d(features, 2, ceil_mode=True)
