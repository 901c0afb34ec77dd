"""The U-shaped network of FusionMamba."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from volfuse.networks.fusionmamba.blocks import Block, make_block
from volfuse.networks.fusionmamba.fusion import Fusion, make_fusion

PATCH = 4


class FusionMamba(nn.Module):
    """Fuse two source images with state-space blocks at four scales.

    Args:
        channels: feature channels at a quarter of the resolution; doubled at every further scale.
        depths: blocks per scale in the encoder; the decoder mirrors them.
        state_size: values per state of the scan.
        drop_path: stochastic depth of the deepest block.
        block: ``"official"`` as in the authors' code, which the published costs belong to; ``"paper"`` for
            equations 5 and 8; ``"evss"`` or ``"transformer"`` instead of DVSS (Table 7).
        fusion: ``"dffm"`` as published; ``"dvss"`` (one block after a sum), ``"no_dfem"`` or ``"no_cmfm"``
            (Table 8).
        fusion_feed_forward: DFFM ends with a feed-forward part, as in one revision of the authors' code.
        official_gate: the second gate of the cross-modality scan as in the authors' code, not equation 7.
        use_first_skip: the fused features of the finest scale reach the decoder. The authors' code computes
            them and drops them; ``False`` leaves them out.
        residual_scale: how much of the sum of the sources is added to the result.

    Raises:
        ValueError: for an unknown ``block`` or ``fusion``.
    """

    num_sources = 2

    def __init__(
        self,
        channels: int = 96,
        depths: Sequence[int] = (2, 2, 9, 2),
        state_size: int = 16,
        drop_path: float = 0.1,
        block: Block = "official",
        fusion: Fusion = "dffm",
        fusion_feed_forward: bool = False,
        official_gate: bool = False,
        use_first_skip: bool = True,
        residual_scale: float = 2.0,
    ) -> None:
        super().__init__()
        widths = [channels * 2**scale for scale in range(len(depths))]
        self.divisor = PATCH * 2 ** (len(depths) - 1)
        self.residual_scale = residual_scale
        drop_rates = torch.linspace(0, drop_path, sum(depths), device="cpu").tolist()

        def stage(scale: int, mirrored: bool = False) -> nn.Sequential:
            start = sum(depths[:scale])
            rates = drop_rates[start : start + depths[scale]]
            return nn.Sequential(
                *(
                    make_block(block, widths[scale], state_size, rate)
                    for rate in rates[:: -1 if mirrored else 1]
                )
            )

        def fuse(scale: int) -> nn.Module:
            if scale == 0 and not use_first_skip:
                return NoFusion()
            return make_fusion(fusion, widths[scale], state_size, block, official_gate, fusion_feed_forward)

        scales = range(len(depths))
        self.embeds = nn.ModuleList(PatchEmbed(channels) for _ in range(self.num_sources))
        self.encoder = nn.ModuleList(stage(scale) for scale in scales)
        self.merges = nn.ModuleList(PatchMerge(width) for width in widths[:-1])
        self.fusions = nn.ModuleList(fuse(scale) for scale in scales)
        self.decoder = nn.ModuleList(stage(scale, mirrored=True) for scale in scales)
        self.expands = nn.ModuleList(PatchExpand(width, 2) for width in widths[1:])
        self.head = PatchExpand(channels, PATCH)
        self.output = nn.Conv2d(channels // PATCH, 1, 1)
        self.apply(_initialise)

    def forward(self, sources: Tensor) -> Tensor:
        """Fuse ``sources`` (B, 2, H, W), values 0..1, of any H and W.

        Returns:
            (B, 1, H, W). Clamped to 0..1 in evaluation mode only: where values are clamped, no gradient flows.
        """
        height, width = sources.shape[-2:]
        rows = _reflected(height, self.divisor, sources.device)
        columns = _reflected(width, self.divisor, sources.device)
        features = self._fuse(sources[:, :, rows[:, None], columns])
        correction = self.output(features.permute(0, 3, 1, 2))[..., :height, :width]
        fused = correction + self.residual_scale * sources.sum(1, keepdim=True)
        return fused if self.training else fused.clamp(0, 1)

    def _fuse(self, sources: Tensor) -> Tensor:
        pairs = zip(self.embeds, sources.split(1, dim=1), strict=True)
        # The encoder is shared: both sources pass it as one batch.
        features = torch.cat([embed(source) for embed, source in pairs])
        skips = []
        for scale, (stage, fuse) in enumerate(zip(self.encoder, self.fusions, strict=True)):
            if scale:
                features = self.merges[scale - 1](features)
            skips.append(fuse(*features.chunk(2)))
            features = stage(features)
        features = torch.add(*features.chunk(2))
        for scale in reversed(range(len(skips))):
            features = self.decoder[scale](features) + skips[scale]
            features = (self.expands[scale - 1] if scale else self.head)(features)
        return features


class NoFusion(nn.Module):
    """A skip that carries nothing."""

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return first.new_zeros(())


class PatchEmbed(nn.Module):
    """4x4 patches of (B, 1, H, W) as normalised features (B, H / 4, W / 4, C)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, channels, PATCH, stride=PATCH)
        self.norm = nn.LayerNorm(channels)

    def forward(self, source: Tensor) -> Tensor:
        return self.norm(self.conv(source).permute(0, 2, 3, 1))


class PatchMerge(nn.Module):
    """Halve the resolution: (B, H, W, C) -> (B, H / 2, W / 2, 2C)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * channels)
        self.reduce = nn.Linear(4 * channels, 2 * channels, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        cells = features.unflatten(2, (-1, 2)).unflatten(1, (-1, 2))
        return self.reduce(self.norm(cells.permute(0, 1, 3, 4, 2, 5).flatten(3)))


class PatchExpand(nn.Module):
    """Enlarge the resolution: (B, H, W, C) -> (B, scale * H, scale * W, C / scale)."""

    def __init__(self, channels: int, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.expand = nn.Linear(channels, scale * channels, bias=False)
        self.norm = nn.LayerNorm(channels // scale)

    def forward(self, features: Tensor) -> Tensor:
        cells = self.expand(features).unflatten(-1, (self.scale, self.scale, -1))
        return self.norm(cells.permute(0, 1, 3, 2, 4, 5).flatten(3, 4).flatten(1, 2))


def _reflected(length: int, divisor: int, device: torch.device) -> Tensor:
    """Indices that reflect ``length`` positions, as often as needed, up to a multiple of ``divisor``."""
    period = max(1, 2 * length - 2)
    position = torch.arange(-(-length // divisor) * divisor, device=device) % period
    return torch.minimum(position, period - position)


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
