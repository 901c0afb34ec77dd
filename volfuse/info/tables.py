"""A report for people: a column for each image, a row for each fact."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.table import Column, Table
from rich.text import Text

from volfuse.imaging.relation import Relation
from volfuse.imaging.summary import Summary
from volfuse.info.report import Entry

_OBLIQUE = 0.05  # degrees; less is rounding


def image_table(entries: Sequence[Entry]) -> Table:
    """Return the images that could be read side by side, without facts that nothing is known of."""
    read = [(entry.path, entry.summary) for entry in entries if entry.summary]
    table = Table("", *(Column(Text(Path(path).name)) for path, _ in read))
    for row in zip(*(_facts(summary) for _, summary in read), strict=True):
        if any(value for _, value in row):
            table.add_row(row[0][0], *(Text(value) for _, value in row))
    return table


def series_table(entry: Entry) -> Table:
    """Return the DICOM volumes under a path, with the numbers to choose them by."""
    table = Table("Number", "Modality", "Description", "Volume", "Size", title=Text(Path(entry.path).name))
    for each in entry.series:
        facts = (each.modality, each.description, each.volume, _product(each.size))
        table.add_row(str(each.number), *map(Text, facts))
    return table


def relation_table(relation: Relation) -> Table:
    """Return how two grids lie on each other."""
    frame = {True: "the same", False: "different", None: "not known of both"}
    facts = [
        ("Grid", "the same" if relation.same_grid else "different"),
        ("Frame of reference", frame[relation.same_frame]),
    ]
    if relation.placed == 2:
        facts += [
            (f"Part of {relation.reference} inside {relation.source}", f"{relation.covered:.0%}"),
            (f"Part of {relation.source} inside {relation.reference}", f"{relation.inside:.0%}"),
        ]
    table = Table("Together", "")
    for name, value in facts:
        table.add_row(Text(name), Text(value))
    return table


def _facts(summary: Summary) -> list[tuple[str, str]]:
    kind = f"RGB, {summary.dtype}" if summary.colour else summary.dtype
    values = f"{summary.lowest:g} to {summary.highest:g} {summary.units}".rstrip()
    window = "{:g} to {:g}".format(*summary.window) if summary.window else "none: no contrast"
    tilt = f", oblique by {summary.oblique:.1f}°" if summary.oblique > _OBLIQUE else ""
    return [
        ("Format", summary.format),
        ("Modality", summary.modality),
        ("Series", summary.series),
        ("Size", _product(summary.size)),
        ("Spacing", f"{_product(summary.spacing)} mm" if summary.spacing else "no position in space"),
        ("Axes", f"{summary.axes}{tilt}" if summary.axes else ""),
        ("Values", f"{values} ({kind})"),
        ("Window auto", window),
        ("SUV", _uptake(summary) if summary.modality == "PT" else ""),
    ]


def _uptake(summary: Summary) -> str:
    return f"values times {summary.suv:g}" if summary.suv is not None else f"none: {summary.suv_reason}"


def _product(numbers: Iterable[float]) -> str:
    return " x ".join(f"{number:.4g}" for number in numbers)
