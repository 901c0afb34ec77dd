"""TAFIE: a local and a global path, each with encoders, a fusion by weight maps and a decoder.

The layers follow the paper's text, equations and tables; where these leave a layer open or disagree, the choice is
the one that meets the published parameter and multiply-add counts (``research/2026-11-tafie.md``).
"""

import torch
from torch import Tensor, nn

from volfuse.networks.tafie.blocks import DynamicConv, EdgeEncoder, EntropyAttention, ResidualBlock
from volfuse.networks.tafie.token_transformer import TopKTransformer

# Channels of a local encoder before they are widened to ``embed_dim``.
LOCAL_CHANNELS = 32


class LocalEncoder(nn.Module):
    """Texture of one image, and its edges if there is an edge encoder: (B, 1, H, W) -> (B, C, H, W)."""

    def __init__(self, embed: nn.Module, refine: nn.Module, channels: int, edges: nn.Module | None) -> None:
        super().__init__()
        self.embed = embed
        self.refine = refine
        self.widen = nn.Conv2d(LOCAL_CHANNELS, channels, 1)
        self.edges = edges

    def forward(self, image: Tensor) -> Tensor:
        embedded = self.embed(image)
        features = self.widen(embedded + self.refine(embedded))
        return features if self.edges is None else features + self.edges(image)


class WeightMapFusion(nn.Module):
    """Mean of the features of N sources, weighted at every pixel by a softmax over the sources."""

    def __init__(self, num_inputs: int, channels: int, *attention: nn.Module) -> None:
        super().__init__()
        width = num_inputs * channels
        self.weigh = nn.Sequential(
            *_conv_relu(width, width), *attention, _conv(width, num_inputs), nn.Softmax(1)
        )

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Fuse (B, N, C, H, W) into (B, C, H, W); also returns the weights (B, N, H, W), which sum to one."""
        weights = self.weigh(features.flatten(1, 2))
        shares = weights.split(1, dim=1)
        fused = shares[0] * features[:, 0]
        # One source at a time: the products of all sources at once would be the largest tensor of the network.
        for index, share in enumerate(shares[1:], start=1):
            fused = torch.addcmul(fused, share, features[:, index])
        return fused, weights


class TAFIE(nn.Module):
    """Fuse two or more source images by local texture, edges, and attention to the most important pixels.

    Every row of the paper's ablation tables is an option: what can be left out is ``True`` by default, and Table 5
    varies ``topk``, ``num_heads`` and ``embed_dim``. Its eleven focal planes are
    ``TAFIE(num_inputs=11, share_encoders=True)``.

    Args:
        num_inputs: number N of sources, at least 2.
        embed_dim: feature channels C of every source, a multiple of ``num_heads``.
        num_heads: attention heads of every token transformer.
        topk: tokens that a token transformer attends to.
        use_local: the path of local encoders and decoder.
        use_global: the path of global encoders and decoder.
        residual_block: residual blocks of local encoders and decoder.
        edge_encoder: Sobel edges, added to the local features.
        dynamic_conv: gated 3x3 and 5x5 convolutions in the local encoders; a plain 3x3 one without.
        fusion_transformer: token transformer of the fusion.
        entropy_encdec: entropy attention of local encoders and decoder.
        entropy_fusion: entropy attention of the fusion.
        share_fusion: one fusion for both paths, as the published counts have it, or one each, as the text has it.
        share_encoders: one set of encoders for all sources, or one for each.
        score_gate: let the token scores learn (see ``TopKTransformer``); without it, as published, the parameters
            named ``importance`` never receive a gradient.

    Raises:
        ValueError: for values that fit no network.
    """

    def __init__(
        self,
        num_inputs: int = 2,
        embed_dim: int = 96,
        num_heads: int = 8,
        topk: int = 8,
        use_local: bool = True,
        use_global: bool = True,
        residual_block: bool = True,
        edge_encoder: bool = True,
        dynamic_conv: bool = True,
        fusion_transformer: bool = True,
        entropy_encdec: bool = True,
        entropy_fusion: bool = True,
        share_fusion: bool = True,
        share_encoders: bool = False,
        score_gate: bool = False,
    ) -> None:
        super().__init__()
        if num_inputs < 2:
            raise ValueError(f"num_inputs must be at least 2, not {num_inputs}")
        if embed_dim < 1 or num_heads < 1 or embed_dim % num_heads:
            raise ValueError(
                f"embed_dim must be a multiple of num_heads, not {embed_dim} with {num_heads} heads"
            )
        if topk < 1:
            raise ValueError(f"topk must be at least 1, not {topk}")
        if not (use_local or use_global):
            raise ValueError("use_local and use_global cannot both be False")
        self.num_sources = num_inputs
        self.share_fusion = share_fusion

        def transformer(channels: int) -> TopKTransformer:
            return TopKTransformer(channels, num_heads, topk, score_gate)

        def refinement(channels: int) -> list[nn.Module]:
            residual = [ResidualBlock(channels)] if residual_block else []
            return residual + ([EntropyAttention(channels)] if entropy_encdec else [])

        def local_encoder() -> nn.Module:
            plain = nn.Sequential(*_conv_relu(1, LOCAL_CHANNELS))
            embed = DynamicConv(LOCAL_CHANNELS) if dynamic_conv else plain
            edges = EdgeEncoder(embed_dim) if edge_encoder else None
            return LocalEncoder(embed, nn.Sequential(*refinement(LOCAL_CHANNELS)), embed_dim, edges)

        def global_encoder() -> nn.Module:
            return nn.Sequential(
                *_conv_relu(1, embed_dim), transformer(embed_dim), nn.Conv2d(embed_dim, embed_dim, 1)
            )

        def fusion() -> nn.Module:
            width = num_inputs * embed_dim
            entropy = [EntropyAttention(width)] if entropy_fusion else []
            attention = entropy + ([transformer(width)] if fusion_transformer else [])
            return WeightMapFusion(num_inputs, embed_dim, *attention)

        def decoder(*layers: nn.Module) -> nn.Module:
            return nn.Sequential(*_conv_relu(embed_dim, embed_dim), *layers, _conv(embed_dim, 1))

        # A module called "global" could not be exported: TorchScript writes its name into Python code.
        paths = {}
        if use_local:
            paths["local_path"] = (local_encoder, decoder(*refinement(embed_dim)))
        if use_global:
            paths["global_path"] = (global_encoder, decoder(transformer(embed_dim)))
        copies = 1 if share_encoders else num_inputs
        self.encoders = nn.ModuleDict(
            {path: nn.ModuleList(encoder() for _ in range(copies)) for path, (encoder, _) in paths.items()}
        )
        self.fusions = nn.ModuleDict({path: fusion() for path in (["shared"] if share_fusion else paths)})
        self.decoders = nn.ModuleDict({path: decoder for path, (_, decoder) in paths.items()})

    def forward(
        self, sources: Tensor, return_maps: bool = False
    ) -> Tensor | tuple[Tensor, dict[str, Tensor]]:
        """Fuse ``sources`` (B, N, H, W), values 0..1, of any H and W.

        Args:
            sources: one channel per source.
            return_maps: also return the weights that the fusion gave every source.

        Returns:
            (B, 1, H, W), trained to lie in 0..1 but not bounded: ``FusionInferer`` clips. With ``return_maps`` a
            tuple with the weights (B, N, H, W) by path, ``"local_path"`` and ``"global_path"``; they sum to one
            over N.

        Raises:
            ValueError: for another number of sources.
        """
        if sources.shape[1] != self.num_sources:
            raise ValueError(f"this TAFIE fuses {self.num_sources} sources, not {sources.shape[1]}")
        outputs, maps = [], {}
        for path, decoder in self.decoders.items():
            fusion = self.fusions["shared" if self.share_fusion else path]
            features, maps[path] = fusion(self._encode(path, sources))
            outputs.append(decoder(features))
        fused = sum(outputs)
        return (fused, maps) if return_maps else fused

    def contributions(self, sources: Tensor) -> Tensor:
        """Divide the fused image between the sources, by the mean of the weights that both paths gave them.

        Args:
            sources: (B, N, H, W), values 0..1.

        Returns:
            (B, N, H, W), 0 or more, in double precision: their sum, rounded to single, is the fused image within 0..1.
        """
        fused, maps = self(sources, return_maps=True)
        weights = torch.stack(list(maps.values())).double().mean(dim=0)
        return fused.clamp(0, 1) * (weights / weights.sum(dim=1, keepdim=True))

    def _encode(self, path: str, sources: Tensor) -> Tensor:
        encoders = list(self.encoders[path].children())
        if len(encoders) == 1:
            features = encoders[0](sources.flatten(0, 1).unsqueeze(1))
            return features.unflatten(0, (-1, self.num_sources))
        images = sources.split(1, dim=1)
        return torch.stack([encode(image) for encode, image in zip(encoders, images, strict=True)], dim=1)


def _conv(in_channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, padding=1)


def _conv_relu(in_channels: int, out_channels: int) -> tuple[nn.Module, nn.Module]:
    return _conv(in_channels, out_channels), nn.ReLU(inplace=True)
