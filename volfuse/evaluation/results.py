"""The values of a run as arrays, pairs by methods, for tables, statistics and figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from volfuse.evaluation.runner import Measurement
from volfuse.evaluation.values import ValueFile
from volfuse.metrics import Metric


@dataclass(frozen=True)
class TaskValues:
    """All values of one task.

    Attributes:
        task: its name.
        pairs: names of the pairs that every method has values for: means compare like with like.
        methods: names of the methods that fit the task.
        by_metric: metric name -> float64 (pairs, methods); NaN where the images are too small for the metric.
    """

    task: str
    pairs: tuple[str, ...]
    methods: tuple[str, ...]
    by_metric: Mapping[str, np.ndarray]


def collect(
    measurements: Sequence[Measurement], values: ValueFile, metrics: Sequence[Metric]
) -> list[TaskValues]:
    """Arrange the stored values by task; a task without any complete pair is left out."""
    tasks = []
    for task in dict.fromkeys(each.pair.task for each in measurements):
        own = [each for each in measurements if each.pair.task == task]
        methods = tuple(dict.fromkeys(each.method.name for each in own))
        rows: dict[str, list[list[float]]] = {}
        for each in own:
            stored = values.values(each.row)
            if stored is not None:
                rows.setdefault(each.pair.name, []).append(stored)
        complete = {name: row for name, row in rows.items() if len(row) == len(methods)}
        if complete:
            array = np.array(list(complete.values()))  # (pairs, methods, metrics)
            by_metric = {metric.name: array[..., index] for index, metric in enumerate(metrics)}
            tasks.append(TaskValues(task, tuple(complete), methods, by_metric))
    return tasks


def pool(tasks: Sequence[TaskValues], metric: str) -> tuple[tuple[str, ...], np.ndarray]:
    """Join the values of one metric over the tasks that have every method.

    Returns:
        The methods, and (pairs of all these tasks, methods) without pairs that have no value.
    """
    methods = max((task.methods for task in tasks), key=len)
    values = np.concatenate([task.by_metric[metric] for task in tasks if task.methods == methods])
    return methods, values[np.isfinite(values).all(axis=1)]
