"""The critical-difference diagram of Demsar 2006: average ranks on a line, bars over what may be chance."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from volfuse.evaluation.results import TaskValues, pool
from volfuse.evaluation.statistics import FEWEST_PAIRS, average_ranks, critical_difference
from volfuse.evaluation.tables import tex_label
from volfuse.metrics import METRICS

# One of each kind: edges, new information, structure, visual information. Others where these are not measured.
_USUAL = ("qabf", "scd", "mef_ssim", "vif")
_WIDTH = 9.0
_LINE_HEIGHT = 0.26  # inches


def draw_ranks(tasks: Sequence[TaskValues]) -> Figure | None:
    """Draw one diagram per metric for at most four metrics, ranks over the pairs of all tasks.

    Returns:
        The figure, or nothing if there are too few pairs or models to compare.
    """
    measured = tasks[0].by_metric
    names = [name for name in _USUAL if name in measured] or list(measured)[: len(_USUAL)]
    pooled = {name: pool(tasks, name) for name in names}
    drawn = {
        name: (models, values)
        for name, (models, values) in pooled.items()
        if len(values) >= FEWEST_PAIRS and len(models) > 1
    }
    if not drawn:
        return None
    height = max(_lines_below(models) for models, _ in drawn.values()) + 4
    figure = Figure(figsize=(_WIDTH, _LINE_HEIGHT * height * len(drawn)), layout="constrained")
    panels = figure.subplots(len(drawn), 1, squeeze=False)[:, 0]
    for axes, (name, (models, values)) in zip(panels, drawn.items(), strict=True):
        _draw(axes, models, average_ranks(values, METRICS[name].higher_is_better), len(values))
        axes.set_title(f"{tex_label(METRICS[name].label)}, {len(values)} pairs", fontsize=11, loc="left")
    return figure


def cliques(ranks: np.ndarray, distance: float) -> list[tuple[int, int]]:
    """Find the groups of models whose ranks differ by less than ``distance``.

    Args:
        ranks: in ascending order.
        distance: the critical difference.

    Returns:
        First and last index of each group of two or more that lies in no larger one.
    """
    groups: list[tuple[int, int]] = []
    for first, rank in enumerate(ranks):
        last = int(np.searchsorted(ranks, rank + distance)) - 1
        if last > first and (not groups or last > groups[-1][1]):
            groups.append((first, last))
    return groups


def _draw(axes: Axes, models: Sequence[str], ranks: np.ndarray, images: int) -> None:
    """Ranks grow to the right; names of the better half stand on the left, of the others on the right."""
    count = len(models)
    order = np.argsort(ranks, kind="stable")
    sorted_ranks = ranks[order]
    distance = critical_difference(images, count)
    groups = cliques(sorted_ranks, distance)
    top = 0.6 * len(groups) + 0.6  # names start below the bars of the groups
    half = (count + 1) // 2
    margin = 0.45 * (count - 1)
    for position, index in enumerate(order):
        left = position < half
        depth = top + (position if left else count - 1 - position)
        edge = 1 - 0.08 * (count - 1) if left else count + 0.08 * (count - 1)
        axes.plot([ranks[index], ranks[index], edge], [0, depth, depth], color="0.35", linewidth=0.9)
        text = f"{models[index]}  {ranks[index]:.2f}" if left else f"{ranks[index]:.2f}  {models[index]}"
        side = "right" if left else "left"
        axes.annotate(
            text,
            (edge, depth),
            xytext=(-4 if left else 4, 0),
            textcoords="offset points",
            ha=side,
            va="center",
            fontsize=9,
        )
    for number, (first, last) in enumerate(groups):
        depth = 0.6 * (number + 0.7)
        ends = sorted_ranks[first] - 0.01 * count, sorted_ranks[last] + 0.01 * count
        axes.plot(ends, [depth, depth], color="black", linewidth=3.2, solid_capstyle="round")
    axes.plot([1, count], [0, 0], color="black", linewidth=1)
    for rank in range(1, count + 1):
        axes.plot([rank, rank], [0, -0.25], color="black", linewidth=1)
        axes.text(rank, -0.35, str(rank), ha="center", va="bottom", fontsize=9)
    axes.plot([1, 1 + distance], [-1.6, -1.6], color="black", linewidth=1.5, marker="|", markersize=6)
    axes.text(
        1 + distance / 2, -1.8, f"critical difference {distance:.2f}", ha="center", va="bottom", fontsize=8
    )
    axes.set_xlim(1 - margin, count + margin)
    axes.set_ylim(top + half, -2.8)
    axes.axis("off")


def _lines_below(models: Sequence[str]) -> float:
    return (len(models) + 1) // 2 + 1.5
