"""The figure of a fusion paper: pairs down, sources and fused images across, each with a zoomed inset."""

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor

from volfuse.evaluation.selection import Pair
from volfuse.fusion.pipeline import FusionPipeline
from volfuse.fusion.steps import Steps
from volfuse.models import takes

_PAIRS = 3
_INCHES = 1.75
_ZOOM = 4
_INSET_HEIGHT = 0.6  # of its width
_FRAME = "#ffd400"


def draw_grid(pairs: Sequence[Pair], pipelines: Sequence[FusionPipeline]) -> Figure:
    """Draw about three pairs, evenly spread over tasks and slices, with every model.

    The enlarged region stands under its image, where it hides no anatomy.

    Args:
        pairs: pairs that can be fused.
        pipelines: models; one that does not take a pair's number of images leaves its place empty.
    """
    chosen = _spread(pairs)
    most_sources = max(len(pair.sources) for pair in chosen)
    titles = [f"Source {number}" for number in range(most_sources)]
    titles += [pipeline.model.name for pipeline in pipelines]
    rows = [_pictures(pair, pipelines) for pair in chosen]
    heights = [
        ratio for sources, _ in rows for ratio in (sources[0].shape[0] / sources[0].shape[1], _INSET_HEIGHT)
    ]
    figure = Figure(figsize=(_INCHES * len(titles), _INCHES * sum(heights) + 0.3), facecolor="black")
    panels = figure.subplots(len(heights), len(titles), squeeze=False, height_ratios=heights)
    for axes in panels.flat:
        axes.axis("off")
    for axes, title in zip(panels[0], titles, strict=True):
        axes.set_title(title, color="white", fontsize=9)
    for number, (pair, (sources, fused)) in enumerate(zip(chosen, rows, strict=True)):
        region = _detail(sources)
        padded = [*sources, *[None] * (most_sources - len(sources)), *fused]
        for column, picture in enumerate(padded):
            if picture is not None:
                _draw(panels[2 * number, column], panels[2 * number + 1, column], picture, region)
        name = f"{pair.task}  {pair.name}"
        label = {"color": "white", "fontsize": 8, "rotation": 90, "ha": "right", "va": "center"}
        panels[2 * number, 0].text(-0.04, 0.5, name, label, transform=panels[2 * number, 0].transAxes)
    figure.subplots_adjust(left=0.012, right=0.998, bottom=0.005, top=0.965, wspace=0.03, hspace=0.03)
    return figure


def _spread(pairs: Sequence[Pair]) -> list[Pair]:
    tasks = list(dict.fromkeys(pair.task for pair in pairs))
    each = math.ceil(_PAIRS / len(tasks))
    chosen: dict[Pair, None] = {}
    for task in tasks:
        own = [pair for pair in pairs if pair.task == task]
        # The middle of each part: the first and the last slices of a head show little.
        chosen |= {own[(2 * part + 1) * len(own) // (2 * each)]: None for part in range(each)}
    return list(chosen)


def _pictures(pair: Pair, pipelines: Sequence[FusionPipeline]) -> tuple[list[Tensor], list[Tensor | None]]:
    """Sources and fused images (H, W, 3) in 0..1, of the middle slice."""
    count = len(pair.sources)
    steps = [pipeline.steps(count) if takes(pipeline.model, count) else None for pipeline in pipelines]
    shown = next(filter(None, steps)).shown(pair.sources)
    fused = [None if each is None else _middle(_fuse(each, pair)) for each in steps]
    return [_middle(source) for source in shown], fused


def _fuse(steps: Steps, pair: Pair) -> Tensor:
    case = steps.prepare(pair.sources)
    return steps.seen(steps.restore(case, steps.fuse(case))).as_tensor()


def _middle(image: Tensor) -> Tensor:
    return image[..., image.shape[-1] // 2].expand(3, -1, -1).movedim(0, -1)


def _detail(sources: Sequence[Tensor]) -> tuple[slice, slice]:
    """Return the region (rows, columns) in the middle half where every source has contrast.

    There fusion has something to decide; at the skin and the skull every model looks the same.
    """
    height, width = sources[0].shape[:2]
    columns = max(1, width // _ZOOM)
    rows = max(1, round(columns * _INSET_HEIGHT))
    top, left = height // 4, width // 4
    shared = torch.ones(())
    for source in sources:
        grey = source[top : height - top, left : width - left].mean(-1)[None, None]
        mean, mean_of_squares = (
            F.avg_pool2d(values, (rows, columns), stride=1) for values in (grey, grey**2)
        )
        shared = shared * (mean_of_squares - mean**2).clamp_min(0)
    row, column = (int(index) for index in np.unravel_index(int(shared.argmax()), shared.shape[-2:]))
    return slice(top + row, top + row + rows), slice(left + column, left + column + columns)


def _draw(axes: Axes, inset: Axes, picture: Tensor, region: tuple[slice, slice]) -> None:
    rows, columns = region
    axes.imshow(picture.numpy(), interpolation="nearest")
    corner = (columns.start - 0.5, rows.start - 0.5)
    size = (columns.stop - columns.start, rows.stop - rows.start)
    axes.add_patch(Rectangle(corner, *size, fill=False, color=_FRAME, linewidth=0.8))
    inset.imshow(picture[region].numpy(), interpolation="nearest")
