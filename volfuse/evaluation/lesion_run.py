"""The insertion test of ``volfuse evaluate --lesions``: every model over the same lesions, resumable."""

from collections.abc import Callable, Sequence
from math import isnan
from pathlib import Path

from volfuse.evaluation.insertion import (
    LesionRecord,
    as_source_pair,
    evenly,
    lesions_in,
    measure_lesions,
    place_lesions,
)
from volfuse.evaluation.runner import Measurement, run
from volfuse.evaluation.values import KEY, Row, ValueFile
from volfuse.fusion.steps import Case

SEED = 0
_KEY = (*KEY, "lesion")
_ORIGIN = ("version", "weights", "sources", "seed", "volfuse")
_VALUES = ("source", "sign", "radius", "amplitude", "row", "column", "slice", "transfer")


def run_lesions(
    measurements: Sequence[Measurement], path: Path, progress: Callable[[int, int], None] | None = None
) -> tuple[dict[str, list[LesionRecord]], list[str]]:
    """Put lesions into ten pairs of every task and see what each model keeps.

    Args:
        measurements: all models and pairs, from :func:`volfuse.evaluation.runner.plan`.
        path: ``lesions.csv``; rows that an earlier run left are not computed again.
        progress: called as ``progress(pairs_done, pairs_in_all)``.

    Returns:
        The records by the name of the model, and sentences about what was left out.

    Raises:
        FusionError: if the file cannot be written.
    """
    chosen = set(evenly(dict.fromkeys(each.pair for each in measurements)))
    own = [each for each in measurements if each.pair in chosen]
    file = ValueFile(path, _VALUES, _KEY, _ORIGIN)

    def missing(each: Measurement) -> list[str]:
        return [row["lesion"] for row in _rows(each) if file.missing(row)]

    notes = run(own, file, missing, _measure, progress)
    file.sort(row for each in own for row in _rows(each))
    by_model: dict[str, list[LesionRecord]] = {}
    for each in own:
        found = [(number, values) for number, row in enumerate(_rows(each)) if (values := file.values(row))]
        records = [_record(each, number, values) for number, values in found if not isnan(values[-1])]
        by_model.setdefault(each.model, []).extend(records)
        if placeless := len(found) - len(records):
            notes.append(f"{each.pair.task}/{each.pair.name} has no place for {placeless} of its lesions.")
    return {name: records for name, records in by_model.items() if records}, list(dict.fromkeys(notes))


def _rows(each: Measurement) -> list[Row]:
    """Return the key and origin of every lesion: a bright and a dark one in each source."""
    row = {name: each.row[name] for name in (*KEY, *_ORIGIN) if name != "seed"} | {"seed": str(SEED)}
    return [row | {"lesion": str(number)} for number in range(lesions_in(len(each.pair.sources)))]


def _measure(each: Measurement, case: Case, _: Sequence[str]) -> list[Row]:
    """Measure all lesions of a pair; one without a place is written as ``nan`` and not tried again."""
    pair = as_source_pair(each.pair, case["image"].as_tensor())
    measured = {
        record.number: (
            *(record.source, record.sign, record.radius, record.amplitude),
            *(*record.center, 0)[:3],
            record.transfer,
        )
        for record in measure_lesions(each.steps.infer, pair, place_lesions(pair, SEED))
    }
    nothing = (float("nan"),) * len(_VALUES)
    return [
        {
            **row,
            **{
                name: f"{value:.6g}"
                for name, value in zip(_VALUES, measured.get(number, nothing), strict=True)
            },
        }
        for number, row in enumerate(_rows(each))
    ]


def _record(each: Measurement, number: int, values: Sequence[float]) -> LesionRecord:
    source, sign, radius, amplitude, *center, transfer = values
    place = tuple(int(index) for index in center)
    return LesionRecord(
        each.pair.task, each.pair.name, number, int(source), int(sign), radius, amplitude, place, transfer
    )
