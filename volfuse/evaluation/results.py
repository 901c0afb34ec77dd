"""The values of a run as arrays, pairs by models, for tables, statistics and figures."""

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
        pairs: names of the pairs that every model has values for: means compare like with like.
        models: names of the models that fit the task.
        by_metric: metric name -> float64 (pairs, models); NaN where the images are too small for the metric.
    """

    task: str
    pairs: tuple[str, ...]
    models: tuple[str, ...]
    by_metric: Mapping[str, np.ndarray]


def collect(
    measurements: Sequence[Measurement], values: ValueFile, metrics: Sequence[Metric]
) -> list[TaskValues]:
    """Arrange the stored values by task; a task without any complete pair is left out."""
    tasks = []
    for task in dict.fromkeys(each.pair.task for each in measurements):
        own = [each for each in measurements if each.pair.task == task]
        models = tuple(dict.fromkeys(each.model for each in own))
        rows: dict[str, list[list[float]]] = {}
        for each in own:
            stored = values.values(each.row)
            if stored is not None:
                rows.setdefault(each.pair.name, []).append(stored)
        complete = {name: row for name, row in rows.items() if len(row) == len(models)}
        if complete:
            array = np.array(list(complete.values()))  # (pairs, models, metrics)
            by_metric = {metric.name: array[..., index] for index, metric in enumerate(metrics)}
            tasks.append(TaskValues(task, tuple(complete), models, by_metric))
    return tasks


def pool(tasks: Sequence[TaskValues], metric: str) -> tuple[tuple[str, ...], np.ndarray]:
    """Join the values of one metric over the tasks that have every model.

    Returns:
        The models, and (pairs of all these tasks, models) without pairs that have no value.
    """
    models = max((task.models for task in tasks), key=len)
    values = np.concatenate([task.by_metric[metric] for task in tasks if task.models == models])
    return models, values[np.isfinite(values).all(axis=1)]
