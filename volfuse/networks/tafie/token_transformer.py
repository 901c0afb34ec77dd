"""Attention of every pixel to the few most important pixels of the image."""

import math

import torch
from torch import Tensor, nn

from volfuse.networks.tafie.blocks import chunk_by_chunk


class TopKTransformer(nn.Module):
    """Multi-head attention with a skip connection, whose keys and values are the K most important tokens.

    Tokens are pixels. ``score = importance(token)`` ranks them, one ranking for all heads, in float32 whatever the
    precision around it; ``y = x + project(softmax(q k^T / sqrt(d)) v)`` with keys k and values v of the K best.
    No position is encoded, so any height and width will do, but the ranking is one for the whole image: crops give
    other values.

    K tokens are so few that queries and outputs of all pixels need never be computed: the keys go into the
    projection of the queries and the values into that of the output. Per pixel this takes ``2 * C * heads * K``
    multiply-adds instead of ``4 * C * C``, and gives the same values.

    Args:
        channels: width C of the tokens, a multiple of ``num_heads``.
        num_heads: attention heads.
        topk: K; images of fewer pixels use them all.
        score_gate: multiply every value by the sigmoid of its token's score. Without it, as published, a ranking
            passes no gradient and ``importance`` stays the random projection that it starts as.
    """

    def __init__(self, channels: int, num_heads: int = 8, topk: int = 8, score_gate: bool = False) -> None:
        super().__init__()
        self.channels = channels
        self.num_heads = num_heads
        self.topk = topk
        self.score_gate = score_gate
        self.qkv = nn.Linear(channels, 3 * channels, bias=False)
        self.importance = nn.Linear(channels, 1)
        self.project = nn.Linear(channels, channels)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, H, W)."""
        tokens = features.flatten(2)
        chosen = self._most_important(tokens)
        query_weight, key_weight, value_weight = self.qkv.weight.chunk(3)
        keys, values = key_weight @ chosen, value_weight @ chosen
        if self.score_gate:
            values = values * self._score(chosen).sigmoid().to(values.dtype)

        by_head = (self.num_heads, -1)
        to_logits = torch.einsum(
            "bhdk,hdc->bhkc", keys.unflatten(1, by_head), query_weight.unflatten(0, by_head)
        )
        to_logits = to_logits / math.sqrt(self.channels // self.num_heads)
        to_output = torch.einsum(
            "ohd,bhdk->bohk", self.project.weight.unflatten(1, by_head), values.unflatten(1, by_head)
        )
        # The weights of a head sum to one, so its share of the bias reaches every pixel whole.
        to_output = to_output + self.project.bias[:, None, None] / self.num_heads

        logits = torch.bmm(to_logits.flatten(1, 2), tokens)
        weights = logits.unflatten(1, by_head).softmax(dim=2).flatten(1, 2)
        return torch.baddbmm(tokens, to_output.flatten(2), weights).view_as(features)

    def _most_important(self, tokens: Tensor) -> Tensor:
        with torch.no_grad():
            ranking = self._score(tokens).topk(min(self.topk, tokens.shape[2]), dim=2).indices
        return tokens.gather(2, ranking.expand(-1, self.channels, -1))

    def _score(self, tokens: Tensor) -> Tensor:
        weight, bias = self.importance.weight.float(), self.importance.bias.float()
        with torch.autocast(tokens.device.type, enabled=False):
            return chunk_by_chunk(lambda some: weight @ some.float() + bias, tokens)

    def functional_multiply_adds(self, features: Tensor) -> int:
        """Cost of the published linear layers over all tokens (see ``volfuse.networks.complexity``)."""
        return features.numel() * (4 * self.channels + 1)
