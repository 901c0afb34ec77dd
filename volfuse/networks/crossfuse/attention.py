"""The cross attention module of CrossFuse: what one source shows and the other does not.

Tokens are 2x2 patches of the deep feature maps. Attention stays inside windows of 32x32 features, and all windows of
all images form one batch, so the cost grows with the number of pixels and slices can be fused together.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WINDOW = 32
PATCH = 2
WIDTH = 512
HEADS = 16


class Attention(nn.Module):
    """Multi-head attention: queries (B, L, C), keys and values (B, M, C) -> (B, L, C).

    ``reverse`` is the paper's re-softmax, ``softmax(-QK^T / sqrt(d)) V``: a query attends most to the keys that differ
    most from it.
    """

    def __init__(self, reverse: bool = False) -> None:
        super().__init__()
        self.reverse = reverse
        self.query, self.key, self.value, self.project = (nn.Linear(WIDTH, WIDTH) for _ in range(4))

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        mixed = F.scaled_dot_product_attention(*self._compared(query, key), _heads(self.value(value)))
        return self.project(mixed.transpose(1, 2).flatten(2))

    def weights(self, query: Tensor, key: Tensor) -> Tensor:
        """Return the attention (B, heads, L, M) that :meth:`forward` never holds in memory; each row sums to one."""
        queries, keys = self._compared(query, key)
        return (queries @ keys.mT / math.sqrt(queries.shape[-1])).softmax(dim=-1)

    def _compared(self, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        # Not a negative scale: fused kernels look for the largest score before they scale.
        queries = _heads(self.query(query))
        return -queries if self.reverse else queries, _heads(self.key(key))


class AttentionBlock(nn.Module):
    """Pre-norm transformer block; the caller normalises what goes into the attention with ``norm``."""

    def __init__(self, reverse: bool = False) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6)
        self.attention = Attention(reverse)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(WIDTH, eps=1e-6), nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH)
        )

    def forward(self, tokens: Tensor, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        mixed = tokens + self.attention(query, key, value)
        return mixed + self.perceptron(mixed)


class SelfAttention(nn.ModuleList):
    """``depth`` blocks in which the tokens of one source attend to each other."""

    def __init__(self, depth: int) -> None:
        super().__init__(AttentionBlock() for _ in range(depth))

    def forward(self, tokens: Tensor) -> Tensor:
        for block in self:
            assert isinstance(block, AttentionBlock)
            normed = block.norm(tokens)
            tokens = block(tokens, normed, normed, normed)
        return tokens


class CrossAttention(nn.Module):
    """``depth`` blocks in which queries of the other source attend to the tokens of one.

    As in the published code, later blocks take the normalised queries of the block before, keys from before and
    values from after the closing normalisation.
    """

    def __init__(self, depth: int, re_softmax: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(AttentionBlock(reverse=re_softmax) for _ in range(depth))
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6)

    def forward(self, own: Tensor, other: Tensor) -> Tensor:
        key = own
        for block in self.blocks:
            assert isinstance(block, AttentionBlock)
            other = block.norm(other)
            key = block(own, other, block.norm(key), block.norm(own))
            own = self.norm(key)
        return own

    def weights(self, own: Tensor, other: Tensor) -> Tensor:
        """Return the attention (B, heads, L, L) of ``other`` on ``own`` in the first block."""
        block = self.blocks[0]
        assert isinstance(block, AttentionBlock)
        return block.attention.weights(block.norm(other), block.norm(own))


class CrossAttentionModule(nn.Module):
    """Fuse two deep feature maps: self attention twice per source, cross attention both ways, sum.

    Args:
        depth_self: blocks of each self attention.
        depth_cross: blocks of each cross attention.
        re_softmax: negated scores in the cross attention.
        shift: roll every window by half its size before the second self attention. Tokens have no positions, so a
            roll by whole patches only reorders them and changes nothing; it does where half a window is odd.
    """

    def __init__(self, depth_self: int, depth_cross: int, re_softmax: bool, shift: bool) -> None:
        super().__init__()
        self.shift = shift
        self.self_attention = nn.ModuleList(SelfAttention(depth_self) for _ in range(2))
        self.shifted_self_attention = nn.ModuleList(SelfAttention(depth_self) for _ in range(2))
        self.cross_attention = nn.ModuleList(CrossAttention(depth_cross, re_softmax) for _ in range(2))

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Fuse two maps (B, 128, h, w), h and w at least 2, into one of their shape."""
        tokens, window = self._tokens(first, second)
        fused = sum(
            cross(own, other)
            for cross, own, other in zip(self.cross_attention, tokens, reversed(tokens), strict=True)
        )
        return merge_windows(_to_map(fused, window), first.shape[-2:])

    def attention_maps(self, first: Tensor, second: Tensor) -> Tensor:
        """Return (B, 2, h, w): how much the other source attends to each place, 1 is an even share of its window."""
        tokens, window = self._tokens(first, second)
        maps = []
        for cross, own, other in zip(self.cross_attention, tokens, reversed(tokens), strict=True):
            assert isinstance(cross, CrossAttention)
            received = cross.weights(own, other).mean(dim=(1, 2))
            share = (received * received.shape[-1])[..., None].expand(-1, -1, PATCH**2)
            maps.append(merge_windows(_to_map(share, window), first.shape[-2:]))
        return torch.cat(maps, dim=1)

    def _tokens(self, first: Tensor, second: Tensor) -> tuple[list[Tensor], tuple[int, int]]:
        """Tokens of both sources after self attention, and the size of their windows."""
        windows = [split_windows(first), split_windows(second)]
        height, width = windows[0].shape[-2:]
        half = (height // 2, width // 2)
        tokens = []
        for source, attend, attend_again in zip(
            windows, self.self_attention, self.shifted_self_attention, strict=True
        ):
            attended = attend(_to_tokens(source))
            if self.shift:
                attended = _roll(attended, (height, width), (-half[0], -half[1]))
            attended = attend_again(attended)
            tokens.append(_roll(attended, (height, width), half) if self.shift else attended)
        return tokens, (height, width)


def split_windows(features: Tensor) -> Tensor:
    """Cut (B, C, h, w) into windows (B * windows, C, at most 32, at most 32) with even sides.

    The last ones are filled by reflection. A map smaller than 32 is one window, because it has too little to reflect
    for a larger one.
    """
    height, width = (min(WINDOW, length + length % PATCH) for length in features.shape[-2:])
    padding = (0, -features.shape[-1] % width, 0, -features.shape[-2] % height)
    padded = F.pad(features, padding, mode="reflect")
    grid = padded.unflatten(3, (-1, width)).unflatten(2, (-1, height))
    return grid.permute(0, 2, 4, 1, 3, 5).flatten(0, 2)


def merge_windows(windows: Tensor, size: Sequence[int]) -> Tensor:
    """Put the windows of :func:`split_windows` together again and crop to ``size`` (h, w)."""
    rows, columns = (-(-length // side) for length, side in zip(size, windows.shape[-2:], strict=True))
    grid = windows.unflatten(0, (-1, rows, columns)).permute(0, 3, 1, 4, 2, 5)
    return grid.flatten(4, 5).flatten(2, 3)[..., : size[0], : size[1]]


def _heads(tokens: Tensor) -> Tensor:
    """(B, L, C) -> (B, heads, L, C / heads)."""
    return tokens.unflatten(2, (HEADS, -1)).transpose(1, 2)


def _to_tokens(windows: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, h w / 4, 4 C)."""
    return F.pixel_unshuffle(windows, PATCH).flatten(2).transpose(1, 2)


def _to_map(tokens: Tensor, window: tuple[int, int]) -> Tensor:
    """Inverse of :func:`_to_tokens` for windows of the size ``window``."""
    rows, columns = window[0] // PATCH, window[1] // PATCH
    return F.pixel_shuffle(tokens.transpose(1, 2).unflatten(2, (rows, columns)), PATCH)


def _roll(tokens: Tensor, window: tuple[int, int], by: tuple[int, int]) -> Tensor:
    return _to_tokens(torch.roll(_to_map(tokens, window), by, dims=(2, 3)))
