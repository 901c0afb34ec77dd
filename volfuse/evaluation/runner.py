"""Run every model over every pair and collect the values."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby

import torch
from torch import Tensor

import volfuse
from volfuse.choices import Convention
from volfuse.errors import FusionError
from volfuse.evaluation.selection import Pair, Selection
from volfuse.evaluation.values import Row, ValueFile
from volfuse.fusion.pipeline import FusionPipeline
from volfuse.fusion.steps import Case, Steps, notes_of_case
from volfuse.imaging import as_stored
from volfuse.metrics import METRICS, Metric
from volfuse.models import takes

_MOST_WORKERS = 8


@dataclass(frozen=True)
class Measurement:
    """One row of the table of values: one model on one pair.

    Attributes:
        pair: the images.
        model: the name of what fuses them.
        steps: how it does so.
        row: the key and origin of the row, without values.
    """

    pair: Pair
    model: str
    steps: Steps
    row: Row


@dataclass
class _Done:
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


Missing = Callable[[Measurement], Sequence[str]]
Measure = Callable[[Measurement, Case, Sequence[str]], list[Row]]


def plan(selection: Selection, pipelines: Sequence[FusionPipeline]) -> tuple[list[Measurement], list[str]]:
    """List what is to be measured, pair by pair.

    Args:
        selection: the pairs.
        pipelines: the models.

    Returns:
        The measurements, and a sentence for each model that does not fit a task.

    Raises:
        FusionError: if nothing is left to measure.
    """
    origins = [_origin(pipeline) for pipeline in pipelines]
    steps = cache(FusionPipeline.steps)  # they are made here, before there are several threads
    measurements = []
    notes: dict[str, None] = {}
    for pair in selection.pairs:
        origin = {
            "task": pair.task,
            "split": selection.split,
            "pair": pair.name,
            "sources": pair.digest(),
            "convention": selection.convention,
            "volfuse": volfuse.__version__,
        }
        count = len(pair.sources)
        for pipeline, own in zip(pipelines, origins, strict=True):
            model = pipeline.model
            if takes(model, count):
                measurements.append(Measurement(pair, model.name, steps(pipeline, count), origin | own))
            else:
                notes[
                    f"{model.name} fuses {model.num_sources} images and is left out of {pair.task}, "
                    f"whose pairs have {count}."
                ] = None
    if not measurements:
        raise FusionError(" ".join(notes))
    return measurements, list(notes)


def run(
    measurements: Sequence[Measurement],
    values: ValueFile,
    missing: Missing,
    measure: Measure,
    progress: Callable[[int, int], None] | None = None,
) -> list[str]:
    """Measure what ``values`` lacks and write the rows of each pair as soon as it is done.

    A pair is read and preprocessed once for all models that prepare it alike. Pairs run side by side, each on
    one core: 256x256 images are too small for more.

    Args:
        measurements: from :func:`plan`.
        values: where the rows go.
        missing: names what has to be measured; an empty answer spares the work.
        measure: measures what is named and returns complete rows.
        progress: called as ``progress(pairs_done, pairs_in_all)``.

    Returns:
        Sentences about pairs and models without values.
    """
    by_pair = [list(group) for _, group in groupby(measurements, lambda each: each.pair)]
    notes = []
    with _one_core_per_thread(), ThreadPoolExecutor(min(_MOST_WORKERS, _cores())) as pool:
        futures = [
            pool.submit(_measure_pair, [(each, missing(each)) for each in group], measure)
            for group in by_pair
        ]
        try:
            for number, future in enumerate(as_completed(futures), 1):
                done = future.result()
                values.add(done.rows)
                notes += done.notes
                if progress:
                    progress(number, len(futures))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return sorted(notes)


def measure_metrics(convention: Convention) -> Measure:
    """Return what computes metrics, under the ``"reference"`` or the ``"published"`` convention."""

    def measure(each: Measurement, case: Case, names: Sequence[str]) -> list[Row]:
        fused = as_stored(each.steps.fuse(case).as_tensor())
        image = case["image"].as_tensor()
        numbers = {name: _measure(METRICS[name], fused, image, convention) for name in names}
        return [{**each.row, **{name: f"{number:.9g}" for name, number in numbers.items()}}]

    return measure


def _measure_pair(work: Sequence[tuple[Measurement, Sequence[str]]], measure: Measure) -> _Done:
    """Measure, on one pair, what each measurement lacks."""
    done = _Done()
    cases: dict[str, Case] = {}
    for each, names in work:
        if not names:
            continue
        pair, steps = each.pair, each.steps
        try:
            if steps.signature not in cases:
                case = cases[steps.signature] = steps.prepare(pair.sources)
                told = (f"{pair.task}/{pair.name}: {note}" for note in notes_of_case(case))
                done.notes += [note for note in told if note not in done.notes]
        except FusionError as error:
            done.notes.append(f"{pair.task}/{pair.name} is left out: {error}")
            break
        try:
            done.rows += measure(each, cases[steps.signature], names)
        except FusionError as error:
            done.notes.append(f"{pair.task}/{pair.name} is left out: {each.model} failed: {error}")
    return done


def _measure(metric: Metric, fused: Tensor, image: Tensor, convention: Convention) -> float:
    """Return the mean over the slices of fused (1, H, W, D) and image (N, H, W, D)."""
    try:
        each = [
            metric(fused[None, ..., index], image[None, ..., index], convention=convention)
            for index in range(image.shape[-1])
        ]
    except ValueError:  # the image is smaller than the windows of the metric
        return float("nan")
    return torch.cat(each).mean().item()


def _origin(pipeline: FusionPipeline) -> dict[str, str]:
    model = pipeline.model
    return {"model": model.name, "version": model.version, "weights": (model.weights_hash() or "")[:12]}


@contextmanager
def _one_core_per_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _cores() -> int:
    """Return the cores this process may use; a container often has fewer than the machine."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
