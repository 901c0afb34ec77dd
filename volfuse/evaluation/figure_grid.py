"""The figure of a fusion paper: pairs down, sources and fused images across, each with a zoomed inset."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from volfuse.evaluation.methods import Method
from volfuse.evaluation.selection import Pair

_ROWS = 3
_INCHES = 1.75
_REGION = 5  # the zoomed region is a fifth of the image wide
_INSET = 0.4  # the inset covers this part of the width
_FRAME = "#ffd400"


def draw_grid(pairs: Sequence[Pair], methods: Sequence[Method]) -> Figure:
    """Draw up to three pairs, evenly spread over ``pairs``, with every method.

    Args:
        pairs: pairs that can be fused.
        methods: methods; one that does not take a pair's number of images leaves its place empty.
    """
    chosen = [pairs[index] for index in np.unique(np.linspace(0, len(pairs) - 1, _ROWS).round().astype(int))]
    rows = [_pictures(pair, methods) for pair in chosen]
    most_sources = max(len(pair.sources) for pair in chosen)
    columns = most_sources + len(methods)
    figure = Figure(figsize=(_INCHES * columns, (_INCHES + 0.02) * len(rows) + 0.3), facecolor="black")
    panels = figure.subplots(len(rows), columns, squeeze=False)
    titles = [
        *(f"Source {chr(ord('A') + number)}" for number in range(most_sources)),
        *(each.name for each in methods),
    ]
    for row, (pair, (sources, fused)) in enumerate(zip(chosen, rows, strict=True)):
        center = _detail(sources)
        padded = [*sources, *[None] * (most_sources - len(sources)), *fused]
        for axes, picture, title in zip(panels[row], padded, titles, strict=True):
            axes.axis("off")
            if picture is not None:
                _draw(axes, picture, center)
            if row == 0:
                axes.set_title(title, color="white", fontsize=9)
        panels[row, 0].text(
            -0.03,
            0.5,
            f"{pair.task}\n{pair.name}",
            color="white",
            fontsize=8,
            rotation=90,
            ha="right",
            va="center",
            multialignment="center",
            transform=panels[row, 0].transAxes,
        )
    figure.subplots_adjust(left=0.03, right=0.998, bottom=0.005, top=0.93, wspace=0.02, hspace=0.02)
    return figure


def _pictures(pair: Pair, methods: Sequence[Method]) -> tuple[list[Tensor], list[Tensor | None]]:
    """Sources and fused images (H, W, 3) in 0..1, of the middle slice."""
    count = len(pair.sources)
    fitting = [method for method in methods if method.takes(count)]
    sources = [_middle(source) for source in fitting[0].steps(count).windowed_sources(pair)]
    fused = [
        _middle(method.fuse_in_color(method.steps(count).prepare(pair), count) / 255)
        if method in fitting
        else None
        for method in methods
    ]
    return sources, fused


def _middle(image: Tensor) -> Tensor:
    return image[..., image.shape[-1] // 2].expand(3, -1, -1).movedim(0, -1)


def _detail(sources: Sequence[Tensor]) -> tuple[int, int]:
    """Return (row, column) where every source has contrast: there fusion has something to decide."""
    shared = torch.ones(())
    for source in sources:
        grey = source.mean(-1)[None, None]
        size = max(1, min(grey.shape[-2:]) // _REGION)
        mean, mean_of_squares = (F.avg_pool2d(values, size, stride=1) for values in (grey, grey**2))
        shared = shared * (mean_of_squares - mean**2).clamp_min(0)
    row, column = np.unravel_index(int(shared.argmax()), shared.shape[-2:])
    return int(row), int(column)


def _draw(axes: Axes, picture: Tensor, corner: tuple[int, int]) -> None:
    """Show a picture; its region from ``corner`` (row, column) on stands enlarged in the farthest corner."""
    height, width = picture.shape[:2]
    size = max(1, min(height, width) // _REGION)
    row, column = corner
    axes.imshow(picture.numpy(), interpolation="nearest")
    axes.add_patch(Rectangle((column - 0.5, row - 0.5), size, size, fill=False, color=_FRAME, linewidth=0.7))
    left = column + size / 2 > width / 2
    above = row + size / 2 > height / 2
    inset = axes.inset_axes((0 if left else 1 - _INSET, 1 - _INSET if above else 0, _INSET, _INSET))
    inset.imshow(picture[row : row + size, column : column + size].numpy(), interpolation="nearest")
    inset.set(xticks=[], yticks=[])
    inset.spines[:].set_color(_FRAME)
