"""``means.csv``: one row per task, metric and model; the tables of our documents are made from it."""

import csv
import io
from collections.abc import Sequence

import numpy as np

from volfuse.choices import Convention
from volfuse.evaluation.results import TaskValues
from volfuse.evaluation.statistics import mean_interval
from volfuse.metrics import Metric

_COLUMNS = ("split", "convention", "task", "pairs", "model", "metric", "mean", "low", "high")


def means_csv(
    tasks: Sequence[TaskValues], metrics: Sequence[Metric], split: str, convention: Convention
) -> str:
    """Write the mean of each metric over the pairs for which every model has a value.

    Args:
        tasks: the values, task by task.
        metrics: those to write; one that has no value on a task has no rows there.
        split: where the pairs come from.
        convention: the arithmetic of the metrics.

    Returns:
        A CSV whose columns ``low`` and ``high`` bound the mean at 95 % (bootstrap over ``pairs``).
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for task in tasks:
        for metric in metrics:
            values = task.by_metric[metric.name]
            values = values[np.isfinite(values).all(axis=1)]
            if not len(values):
                continue
            by_model = np.stack([values.mean(axis=0), *mean_interval(values)], axis=1)
            origin = (split, convention, task.task, len(values))
            for model, numbers in zip(task.models, by_model, strict=True):
                writer.writerow([*origin, model, metric.name, *(f"{number:.6g}" for number in numbers)])
    return text.getvalue()
