"""ES2D: the selective scan over images, on four strided sub-grids, for one image or two at once.

Efficient 2-D scanning: Pei et al. 2024, "EfficientVMamba" (arXiv:2403.09977), section 3.2; initial values as in
Mamba (arXiv:2312.00752). A quarter of the positions per direction makes the scan four times shorter.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from volfuse.networks.layers.selective_scan import selective_scan

GRIDS = 4
EXPANSION = 2


class GridScan(nn.Module):
    """Scan four sub-grids of (B, H, W, C), each with a state-space system of its own, and normalise.

    Args:
        channels: C.
        step_rank: number of values that the step sizes are projected from.
        state_size: values per state.
    """

    def __init__(self, channels: int, step_rank: int, state_size: int) -> None:
        super().__init__()
        self.split_sizes = (step_rank, state_size, state_size)
        self.project = _uniform(GRIDS, channels, step_rank + 2 * state_size, bound=channels**-0.5)
        self.step_weight = _uniform(GRIDS, step_rank, channels, bound=step_rank**-0.5)
        self.step_bias = nn.Parameter(_step_bias(GRIDS, 1, channels))
        indices = torch.arange(1, state_size + 1, dtype=torch.float32)
        self.state_matrix_log = nn.Parameter(indices.log()[:, None].repeat(GRIDS, 1, channels))
        self.skip = nn.Parameter(torch.ones(GRIDS, 1, channels))
        self.norm = nn.LayerNorm(channels)

    def forward(self, features: Tensor) -> Tensor:
        height, width = features.shape[1:3]
        sequences = split_grids(features)
        steps, into, out = (sequences @ self.project).split(self.split_sizes, dim=-1)
        steps = steps @ self.step_weight
        # Exponentials of half-precision numbers are too coarse for a long recurrence.
        precise = torch.promote_types(steps.dtype, torch.float32)
        outputs = selective_scan(
            sequences,
            F.softplus(steps.to(precise) + self.step_bias),
            -self.state_matrix_log.to(precise).exp(),
            into,
            out,
        )
        outputs = (outputs + self.skip * sequences).to(sequences.dtype)
        return self.norm(merge_grids(outputs, height, width))


class ES2D(nn.Module):
    """Gated scan of (B, H, W, C): project, 3x3 depthwise convolution, scan, gate, project."""

    def __init__(self, channels: int, state_size: int) -> None:
        super().__init__()
        inner = EXPANSION * channels
        self.enter = nn.Linear(channels, 2 * inner, bias=False)
        self.conv = DepthwiseConv(inner)
        self.scan = GridScan(inner, math.ceil(channels / 16), state_size)
        self.leave = nn.Linear(inner, channels, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        values, gate = self.enter(features).chunk(2, dim=-1)
        return self.leave(self.scan(self.conv(values)) * F.silu(gate))


class CrossES2D(nn.Module):
    """One scan of two feature maps (B, H, W, C) together, gated by each: equations 6 and 7.

    Args:
        official_gate: the second gate is ``silu(silu(first gate))``, as in the authors' code, which leaves half
            of the second projection without effect.
    """

    def __init__(self, channels: int, state_size: int, official_gate: bool) -> None:
        super().__init__()
        inner = EXPANSION * channels
        self.official_gate = official_gate
        self.enter_first = nn.Linear(channels, 2 * inner, bias=False)
        self.enter_second = nn.Linear(channels, 2 * inner, bias=False)
        self.conv = DepthwiseConv(inner)
        self.scan = GridScan(inner, math.ceil(channels / 16), state_size)
        self.leave = nn.Linear(inner, channels, bias=False)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        first, first_gate = self.enter_first(first).chunk(2, dim=-1)
        second, second_gate = self.enter_second(second).chunk(2, dim=-1)
        first, second = self.conv(first), self.conv(second)
        common = self.scan(first * second + first + second)
        first_gate = F.silu(first_gate)
        second_gate = F.silu(first_gate if self.official_gate else second_gate)
        return self.leave(common * first_gate + common * second_gate)


class DepthwiseConv(nn.Module):
    """3x3 depthwise convolution and SiLU of (B, H, W, C)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)

    def forward(self, features: Tensor) -> Tensor:
        return F.silu(self.conv(features.permute(0, 3, 1, 2))).permute(0, 2, 3, 1)


def split_grids(features: Tensor) -> Tensor:
    """Cut (B, H, W, C) into four strided sub-grids (B, 4, L, C), L = ceil(H / 2) * ceil(W / 2).

    In order: even rows and columns; odd rows, even columns; even rows, odd columns; odd rows and columns. Even
    rows are read row by row, odd rows column by column. Odd sizes are padded with zeros.
    """
    height, width = features.shape[1:3]
    even = F.pad(features, (0, 0, 0, width % 2, 0, height % 2))
    cells = even.unflatten(2, (-1, 2)).unflatten(1, (-1, 2))
    by_row = cells[:, :, 0].permute(0, 3, 1, 2, 4).flatten(2, 3)
    by_column = cells[:, :, 1].permute(0, 3, 2, 1, 4).flatten(2, 3)
    return torch.stack([by_row, by_column], 2).flatten(1, 2)


def merge_grids(sequences: Tensor, height: int, width: int) -> Tensor:
    """Undo ``split_grids``: (B, 4, L, C) -> (B, height, width, C)."""
    rows, columns = (height + 1) // 2, (width + 1) // 2
    by_row = sequences[:, 0::2].unflatten(2, (rows, columns))
    by_column = sequences[:, 1::2].unflatten(2, (columns, rows)).transpose(2, 3)
    cells = torch.stack([by_row, by_column], 3)  # (B, column parity, rows, row parity, columns, C)
    return cells.permute(0, 2, 3, 4, 1, 5).flatten(3, 4).flatten(1, 2)[:, :height, :width]


def _uniform(*shape: int, bound: float) -> nn.Parameter:
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound))


def _step_bias(*shape: int, smallest: float = 1e-3, largest: float = 0.1) -> Tensor:
    """Biases whose softplus is spread evenly over the logarithms of the range."""
    steps = torch.empty(shape).uniform_(math.log(smallest), math.log(largest)).exp()
    return steps + torch.log(-torch.expm1(-steps))
