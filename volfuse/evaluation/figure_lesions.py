"""Kept contrast against lesion size: one panel per model, one colour per source."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from volfuse.evaluation.insertion import RADII, LesionRecord
from volfuse.evaluation.lesion_summary import LOST, scan_name, summarise

_COLUMNS = 4
_PANEL = (2.7, 2.2)  # inches
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")  # Okabe and Ito: apart for every kind of colour vision
_LOWEST, _HIGHEST = -0.25, 1.5
_BINS = np.linspace(*RADII, 5)


def draw_lesions_kept(by_model: Mapping[str, Sequence[LesionRecord]]) -> Figure:
    """Draw the transfer of every lesion over its radius, with the median by source in bins of the radius."""
    rows = math.ceil(len(by_model) / _COLUMNS)
    columns = math.ceil(len(by_model) / rows)
    figure = Figure(figsize=(_PANEL[0] * columns + 0.4, _PANEL[1] * rows + 0.7), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes in panels.flat[len(by_model) :]:
        axes.remove()
    for axes, (model, records) in zip(panels.flat, by_model.items(), strict=False):
        _draw(axes, records)
        axes.set_title(model, fontsize=10, fontweight="bold", loc="left")
        axes.set_title(f"{100 * summarise(records).lost:.0f} % lost", fontsize=9, color="0.35", loc="right")
    for axes in panels.flat[len(by_model) - columns : len(by_model)]:  # below some of them no panel stands
        axes.tick_params(labelbottom=True)
    figure.supxlabel("radius of the lesion, pixels", fontsize=9)
    figure.supylabel("contrast kept", fontsize=9)
    sources = sorted({record.source for records in by_model.values() for record in records})
    figure.legend(
        handles=_legend(sources), loc="outside upper left", ncols=len(sources) + 2, fontsize=9, frameon=False
    )
    return figure


def _draw(axes: Axes, records: Sequence[LesionRecord]) -> None:
    axes.axhspan(_LOWEST, LOST, color="0.93", linewidth=0)
    axes.text(RADII[0] - 0.2, _LOWEST + 0.02, "lost", fontsize=8, color="0.5", ha="left", va="bottom")
    axes.axhline(1, color="0.6", linewidth=0.8, linestyle=(0, (4, 3)))
    for source in sorted({record.source for record in records}):
        own = [record for record in records if record.source == source]
        color = _COLORS[source % len(_COLORS)]
        for sign in (1, -1):
            chosen = [record for record in own if record.sign == sign]
            transfers = np.clip([record.transfer for record in chosen], _LOWEST + 0.03, _HIGHEST - 0.03)
            face = color if sign > 0 else "none"
            radii = [record.radius for record in chosen]
            axes.scatter(radii, transfers, 11, facecolors=face, edgecolors=color, linewidths=0.7, alpha=0.6)
        axes.plot(*_medians(own), color=color, linewidth=2, solid_capstyle="round")
    axes.set_xlim(RADII[0] - 0.3, RADII[1] + 0.3)
    axes.set_ylim(_LOWEST, _HIGHEST)
    axes.set_xticks(range(int(RADII[0]), int(RADII[1]) + 1, 2))
    axes.set_yticks([0, 0.5, 1, 1.5])
    axes.tick_params(labelsize=8, length=2.5)
    axes.spines[["top", "right"]].set_visible(False)


def _medians(records: Sequence[LesionRecord]) -> tuple[list[float], list[float]]:
    """Return the middles of the bins that hold lesions, and the median transfer in each."""
    bins = np.digitize([record.radius for record in records], _BINS[1:-1])
    transfers = np.array([record.transfer for record in records])
    filled = np.unique(bins)
    middles = (_BINS[filled] + _BINS[filled + 1]) / 2
    return middles.tolist(), [float(np.median(transfers[bins == index])) for index in filled]


def _legend(sources: Sequence[int]) -> list[Line2D]:
    lines = [
        Line2D(
            [],
            [],
            color=_COLORS[source % len(_COLORS)],
            linewidth=2,
            label=f"in the {scan_name(source)} (line: median)",
        )
        for source in sources
    ]
    bright, dark = (
        Line2D(
            [],
            [],
            color="0.35",
            marker="o",
            linestyle="none",
            markersize=4,
            label=label,
            markerfacecolor=face,
        )
        for label, face in (("bright", "0.35"), ("dark", "none"))
    )
    return [*lines, bright, dark]
