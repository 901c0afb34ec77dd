"""The statistics of a whole report: every metric of every task, as a file and in words."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from volfuse.evaluation.results import TaskValues
from volfuse.evaluation.statistics import FEWEST_PAIRS, Analysis, analyse
from volfuse.metrics import Metric


@dataclass(frozen=True)
class Verdict:
    """What statistics say about one metric on one task.

    Attributes:
        label: of the metric.
        test: of all models together; empty for two models.
        statistic: of that test.
        p: of that test.
        best: the model with the best mean.
        equals: the models whose difference from the best may be chance.
    """

    label: str
    test: str
    statistic: str
    p: str
    best: str
    equals: str


def analyse_task(values: TaskValues, metrics: Sequence[Metric]) -> dict[str, Analysis]:
    """Analyse every metric with enough values; metric name -> analysis."""
    analyses = {}
    for metric in metrics:
        defined = _defined(values.by_metric[metric.name])
        if len(defined) >= FEWEST_PAIRS and len(values.models) > 1:
            analyses[metric.name] = analyse(defined, values.models)
    return analyses


def statistics_csv(analyses: Mapping[str, Mapping[str, Analysis]]) -> str:
    """Write all tests of task -> metric -> analysis, one line each."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["task", "metric", "test", "first", "second", "statistic", "p", "p_bonferroni"])
    for task, by_metric in analyses.items():
        for metric, analysis in by_metric.items():
            overall = [analysis.overall] if analysis.overall else []
            for each in (*analysis.normality, *overall, *analysis.comparisons):
                numbers = [f"{number:.6g}" for number in (each.statistic, each.p, each.adjusted)]
                writer.writerow([task, metric, each.test, each.first, each.second, *numbers])
    return text.getvalue()


def verdicts(
    values: TaskValues, metrics: Sequence[Metric], analyses: Mapping[str, Analysis]
) -> list[Verdict]:
    """Put the analyses of one task into words, one line per metric."""
    lines = []
    for metric in metrics:
        if metric.name not in analyses:
            continue
        analysis = analyses[metric.name]
        means = _defined(values.by_metric[metric.name]).mean(axis=0)
        best = values.models[int(means.argmax() if metric.higher_is_better else means.argmin())]
        overall = analysis.overall
        lines.append(
            Verdict(
                metric.label,
                overall.test if overall else "",
                f"{overall.statistic:.4g}" if overall else "",
                p_value(overall.p) if overall else "",
                best,
                ", ".join(analysis.indistinguishable(best)) or "none",
            )
        )
    return lines


def shortcomings(values: TaskValues, metrics: Sequence[Metric]) -> list[str]:
    """Return sentences on what this task's values cannot tell."""
    notes = []
    count = len(values.pairs)
    if count < FEWEST_PAIRS:
        few = "one pair" if count == 1 else f"{count} pairs"
        notes.append(f"{values.task} has values of only {few}: too few for statistics.")
    for metric in metrics:
        if undefined := count - len(_defined(values.by_metric[metric.name])):
            notes.append(
                f"{metric.label} has no value for {undefined} of {count} pairs of {values.task}, "
                "whose images are too small for it."
            )
    return notes


def p_value(p: float) -> str:
    """Write a p value as readers expect it."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _defined(values: np.ndarray) -> np.ndarray:
    """Leave out the pairs whose images are too small for the metric."""
    defined: np.ndarray = values[np.isfinite(values).all(axis=1)]
    return defined
