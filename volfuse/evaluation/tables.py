"""Tables of models: which number is best, how many digits it has, and the same table in Markdown and LaTeX."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from volfuse.evaluation.costs import SIZE, Cost
from volfuse.evaluation.results import TaskValues
from volfuse.evaluation.statistics import mean_interval
from volfuse.metrics import Metric

_DIGITS = 4
_NOTHING = "n/a"
_SCRIPT = re.compile(r"([\^_])([^\s()]+)")  # Q^AB/F, Q_NCIE


@dataclass(frozen=True)
class Cell:
    """One number.

    Attributes:
        value: the number, or "n/a" where there is none.
        interval: its 95 % interval, or nothing.
        emphasis: ``"best"``, ``"second"`` or nothing.
    """

    value: str
    interval: str = ""
    emphasis: str = ""


@dataclass(frozen=True)
class Line:
    """One line of a table: what is measured, which direction is better, a number per model."""

    label: str
    higher_is_better: bool
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """Models side by side.

    Attributes:
        title: what the numbers were measured on.
        models: the columns.
        lines: what was measured.
    """

    title: str
    models: tuple[str, ...]
    lines: tuple[Line, ...]


def summary_table(values: TaskValues, metrics: Sequence[Metric]) -> Table:
    """Means over the pairs of a task, with 95 % bootstrap intervals."""
    lines = []
    for metric in metrics:
        array = values.by_metric[metric.name]
        defined = array[np.isfinite(array).all(axis=1)]
        cells = [Cell(_NOTHING)] * len(values.models)
        if len(defined):
            cells = _mean_cells(defined, metric.higher_is_better)
        lines.append(Line(metric.label, metric.higher_is_better, tuple(cells)))
    count = len(values.pairs)
    title = f"{values.task}, {count} pair{'s' if count > 1 else ''}"
    return Table(title, values.models, tuple(lines))


def cost_table(costs: dict[str, Cost]) -> Table:
    """Parameters, multiply-adds and time of each model."""
    lines = (
        Line("Parameters", False, tuple(Cell(f"{cost.parameters:,}") for cost in costs.values())),
        Line(
            "Multiply-adds, 10⁹",
            False,
            tuple(
                Cell(_NOTHING if cost.multiply_adds is None else f"{cost.multiply_adds / 1e9:.3f}")
                for cost in costs.values()
            ),
        ),
        Line("Time, ms", False, tuple(Cell(f"{1000 * cost.seconds:.3g}") for cost in costs.values())),
    )
    return Table(f"Cost of one {SIZE}x{SIZE} slice", tuple(costs), lines)


def markdown(table: Table) -> str:
    """GitHub's Markdown: best bold, second underlined."""
    marks = {"best": "**{}**", "second": "<ins>{}</ins>", "": "{}"}
    lines = [
        f"### {table.title}",
        "",
        _row(["", *table.models]),
        _row(["---", *["---:"] * len(table.models)]),
    ]
    for line in table.lines:
        cells = [f"{marks[cell.emphasis].format(cell.value)} {cell.interval}".strip() for cell in line.cells]
        lines.append(_row([f"{html_label(line.label)} {arrow(line)}", *cells]))
    return "\n".join(lines) + "\n"


def latex(table: Table) -> str:
    """A LaTeX table for the packages booktabs and graphicx; intervals stand under the means."""
    marks = {"best": r"\textbf{%s}", "second": r"\underline{%s}", "": "%s"}
    lines = [
        r"\begin{table*}",
        rf"\caption{{{_escape(table.title)}}}",
        r"\resizebox{\textwidth}{!}{%",
        rf"\begin{{tabular}}{{l{'r' * len(table.models)}}}",
        r"\toprule",
        " & ".join(["", *map(_escape, table.models)]) + r" \\",
        r"\midrule",
    ]
    for line in table.lines:
        direction = r"$\uparrow$" if line.higher_is_better else r"$\downarrow$"
        cells = [marks[cell.emphasis] % _tex_number(cell.value) for cell in line.cells]
        lines.append(" & ".join([f"{tex_label(line.label)} {direction}", *cells]) + r" \\")
        if any(cell.interval for cell in line.cells):
            intervals = [rf"{{\scriptsize {_tex_number(cell.interval)}}}" for cell in line.cells]
            lines.append(" & ".join(["", *intervals]) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}}", r"\end{table*}"]
    return "\n".join(lines) + "\n"


def arrow(line: Line) -> str:
    """Return the direction of better values."""
    return "↑" if line.higher_is_better else "↓"


def html_label(label: str) -> str:
    """Return a metric's label with its scripts raised or lowered; labels are ours and hold no markup."""
    return _SCRIPT.sub(lambda found: "<{0}>{1}</{0}>".format(*_html(*found.groups())), label)


def tex_label(label: str) -> str:
    """Return a metric's label with its scripts as TeX mathematics, which matplotlib reads too."""
    head, *script = _SCRIPT.split(label, maxsplit=1)
    if not script:
        return _escape(head)
    kind, text, tail = script
    return rf"{_escape(head)}${kind}{{\mathrm{{{text}}}}}${_escape(tail)}"


def _html(kind: str, text: str) -> tuple[str, str]:
    return ("sup" if kind == "^" else "sub"), text


def _mean_cells(values: np.ndarray, higher_is_better: bool) -> list[Cell]:
    """Cells for (pairs, models); numbers that read the same share their emphasis."""
    means = values.mean(axis=0)
    decimals = _decimals(float(np.abs(means).max()))
    shown = [f"{mean:.{decimals}f}" for mean in means]
    order = sorted(set(map(float, shown)), reverse=higher_is_better)
    emphasis = dict(zip(order, ("best", "second"), strict=False)) if len(order) > 1 else {}
    if len(values) > 1:
        intervals = [f"[{low:.{decimals}f}, {high:.{decimals}f}]" for low, high in mean_interval(values).T]
    else:
        intervals = [""] * len(means)
    return [
        Cell(text, interval, emphasis.get(float(text), ""))
        for text, interval in zip(shown, intervals, strict=True)
    ]


def _decimals(largest: float) -> int:
    """Decimals that give the largest number of a line four digits, and no line more than four decimals."""
    before_the_point = math.floor(math.log10(largest)) + 1 if largest >= 1 else 0
    return max(0, _DIGITS - before_the_point)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escape(text: str) -> str:
    escaped = re.sub(r"([&%$#_{}])", r"\\\1", text)
    return escaped.replace("10⁹", "$10^9$")


def _tex_number(text: str) -> str:
    return text.replace("-", "$-$").replace("%", r"\%")
