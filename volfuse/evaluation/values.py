"""``values.csv``: one row per pair and model, safe against being stopped at any moment."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from volfuse.errors import FusionError
from volfuse.storage import write_whole

_KEY = ("task", "split", "pair", "model")
# A stored row counts only while all of these are what they were: models, images, arithmetic, program.
_ORIGIN = ("version", "weights", "sources", "convention", "volfuse")

Row = Mapping[str, str]


class ValueFile:
    """The table of values in a report folder.

    Rows are appended as they are computed. Rows that an earlier run left are kept, whether or not this run asks
    for them; a line that was only half written is dropped.

    Args:
        path: the file; it is made if it is missing.
        metrics: names of the metric columns that this run needs.

    Raises:
        FusionError: if the file cannot be written, or is something else than such a table.
    """

    def __init__(self, path: Path, metrics: Sequence[str]) -> None:
        self.path = path
        header, rows = _read(path)
        self._columns = [*_KEY, *_ORIGIN, *dict.fromkeys([*header, *metrics])]
        self._metrics = metrics
        self._rows = {_key(row): row for row in rows}
        self._write()

    def missing(self, row: Row) -> list[str]:
        """Return the metrics that have no value yet for ``row``, which says the key and the origin."""
        stored = self._stored(row)
        return [name for name in self._metrics if not stored.get(name)]

    def add(self, rows: Iterable[Row]) -> None:
        """Append rows, each joined with the values that are already stored for it."""
        joined = [{**self._stored(row), **row} for row in rows]
        self._rows |= {_key(row): row for row in joined}
        with self.path.open("a", newline="", encoding="utf-8") as file:
            file.write(self._lines(joined))

    def values(self, row: Row) -> list[float] | None:
        """Return the values of this run's metrics for ``row``, or nothing if one is missing."""
        if self.missing(row):
            return None
        stored = self._stored(row)
        return [float(stored[name]) for name in self._metrics]

    def sort(self, rows: Iterable[Row]) -> None:
        """Bring the file into the order of ``rows``, other rows last: workers finish in any order."""
        order = {_key(row): number for number, row in enumerate(rows)}
        self._rows = dict(sorted(self._rows.items(), key=lambda item: order.get(item[0], len(order))))
        self._write()

    def _stored(self, row: Row) -> Row:
        stored = self._rows.get(_key(row), {})
        return stored if all(stored.get(name) == row[name] for name in _ORIGIN) else {}

    def _write(self) -> None:
        write_whole(self.path, ",".join(self._columns) + "\n" + self._lines(self._rows.values()))

    def _lines(self, rows: Iterable[Row]) -> str:
        text = io.StringIO()
        csv.DictWriter(text, self._columns, restval="", lineterminator="\n").writerows(rows)
        return text.getvalue()


def _read(path: Path) -> tuple[list[str], list[Row]]:
    """Return the metric columns and the complete rows of an earlier run."""
    if not path.exists():
        return [], []
    try:
        # Without its newline a line may be half of a longer one: 0.71 of 0.7134.
        complete = path.read_text(encoding="utf-8").rpartition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        raise FusionError(f"{path} cannot be read; choose another output folder.") from error
    header, *lines = list(csv.reader(complete.splitlines())) or [[]]
    fixed = len(_KEY) + len(_ORIGIN)
    if complete and tuple(header[:fixed]) != (*_KEY, *_ORIGIN):
        raise FusionError(f"{path} is not a table of `volfuse evaluate`; choose another output folder.")
    rows = [dict(zip(header, line, strict=True)) for line in lines if len(line) == len(header)]
    return header[fixed:], rows


def _key(row: Row) -> tuple[str, ...]:
    return tuple(row[name] for name in _KEY)
