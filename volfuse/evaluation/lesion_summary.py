"""What the insertion test found, in numbers: over all lesions, and apart by source, sign and kind of pair."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np

from volfuse.evaluation.insertion import LesionRecord
from volfuse.evaluation.tables import Cell, Line, Table
from volfuse.evaluation.values import Row

LOST = 0.3
"""A lesion of which less than this share arrives is lost to a reader."""

_ORIGIN = ("split", "model", "version", "weights")

Records = Sequence[LesionRecord]


@dataclass(frozen=True)
class LesionSummary:
    """Transfer over some lesions.

    Attributes:
        lesions: how many.
        median: of the transfer.
        tenth: 10th percentile: nine of ten lesions keep more.
        ninetieth: 90th percentile; above 1 is amplification.
        lost: share with a transfer below 0.3.
        inverted: share with a transfer below 0: bright became dark or dark bright.
    """

    lesions: int
    median: float
    tenth: float
    ninetieth: float
    lost: float
    inverted: float


def summarise(records: Records) -> LesionSummary:
    """Summarise one lesion or more."""
    transfers = np.array([record.transfer for record in records])
    tenth, median, ninetieth = np.quantile(transfers, (0.1, 0.5, 0.9)).tolist()
    lost, inverted = (float((transfers < bound).mean()) for bound in (LOST, 0))
    return LesionSummary(len(records), median, tenth, ninetieth, lost, inverted)


def groups(records: Records) -> dict[str, Records]:
    """Sort records into groups by name: all, then by source, by sign and by task; groups without any are left out."""
    members: dict[str, Records] = {"all": records}
    for source in sorted({record.source for record in records}):
        members[scan_name(source)] = [record for record in records if record.source == source]
    members["bright"] = [record for record in records if record.sign > 0]
    members["dark"] = [record for record in records if record.sign < 0]
    for task in dict.fromkeys(record.task for record in records):
        members[task] = [record for record in records if record.task == task]
    return {name: group for name, group in members.items() if group}


def scan_name(source: int) -> str:
    """Return what a reader calls a source."""
    return ("first scan", "second scan")[source] if source < 2 else f"scan {source + 1}"


def lesion_table(by_model: Mapping[str, Records]) -> Table:
    """Median transfer of each model in each group, with its 10th percentile and the share lost."""
    summaries = {
        model: {name: summarise(group) for name, group in groups(records).items()}
        for model, records in by_model.items()
    }
    names = dict.fromkeys(name for summary in summaries.values() for name in summary)
    lines = [
        Line(_label(name), True, tuple(_cell(summary.get(name)) for summary in summaries.values()))
        for name in names
    ]
    everywhere = [summary["all"] for summary in summaries.values()]
    lines += [
        Line("90th percentile", False, tuple(Cell(f"{each.ninetieth:.2f}") for each in everywhere)),
        Line("inverted", False, tuple(Cell(_percent(each.inverted)) for each in everywhere)),
    ]
    most = max(each.lesions for each in everywhere)
    title = f"{most} lesions: median share of their contrast that is kept [10th percentile, lost]"
    return Table(title, tuple(by_model), tuple(lines))


def summary_csv(by_model: Mapping[str, Records], origins: Mapping[str, Row]) -> str:
    """Return ``lesion_summary.csv``, one row per model and group.

    Args:
        by_model: the records of each model.
        origins: for each model its version and weights, and the split.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_ORIGIN, "group", *(field.name for field in fields(LesionSummary))])
    for model, records in by_model.items():
        origin = [origins[model][name] for name in _ORIGIN]
        for name, group in groups(records).items():
            numbers = astuple(summarise(group))
            writer.writerow(
                [*origin, name, *(f"{each:.4f}" if isinstance(each, float) else each for each in numbers)]
            )
    return text.getvalue()


def _label(group: str) -> str:
    """Return the name of a group as a table shows it: ``ct_mri`` is no subscript."""
    return "all lesions" if group == "all" else group.replace("_", "-")


def _cell(summary: LesionSummary | None) -> Cell:
    if summary is None:
        return Cell("n/a")
    return Cell(f"{summary.median:.2f}", f"[{summary.tenth:.2f}, {_percent(summary.lost)}]")


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
