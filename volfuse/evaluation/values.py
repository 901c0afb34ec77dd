"""``values.csv``: one row per pair and model, safe against being stopped at any moment."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from volfuse.errors import FusionError
from volfuse.storage import write_whole

KEY = ("task", "split", "pair", "model")
"""What tells a row of ``values.csv`` from the others."""
ORIGIN = ("version", "weights", "sources", "convention", "volfuse")
"""A stored row counts only while all of these are what they were: models, images, arithmetic, program."""

Row = Mapping[str, str]


class ValueFile:
    """The table of values in a report folder.

    Rows are appended as they are computed. Rows that an earlier run left are kept, whether or not this run asks
    for them; a line that was only half written is dropped.

    Args:
        path: the file; it is made if it is missing.
        metrics: names of the metric columns that this run needs.
        key: the columns that tell a row from the others.
        origin: the columns that say where a row comes from.

    Raises:
        FusionError: if the file cannot be written, or is something else than such a table.
    """

    def __init__(
        self, path: Path, metrics: Sequence[str], key: Sequence[str] = KEY, origin: Sequence[str] = ORIGIN
    ) -> None:
        self.path = path
        self._key_columns = key
        self._origin = origin
        header, rows = _read(path, [*key, *origin])
        self._columns = [*key, *origin, *dict.fromkeys([*header, *metrics])]
        self._metrics = metrics
        self._rows = {self._key(row): row for row in rows}
        self._write()

    def missing(self, row: Row) -> list[str]:
        """Return the metrics that have no value yet for ``row``, which says the key and the origin."""
        stored = self._stored(row)
        return [name for name in self._metrics if not stored.get(name)]

    def add(self, rows: Iterable[Row]) -> None:
        """Append rows, each joined with the values that are already stored for it."""
        joined = [{**self._stored(row), **row} for row in rows]
        self._rows |= {self._key(row): row for row in joined}
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
        order = {self._key(row): number for number, row in enumerate(rows)}
        self._rows = dict(sorted(self._rows.items(), key=lambda item: order.get(item[0], len(order))))
        self._write()

    def _stored(self, row: Row) -> Row:
        stored = self._rows.get(self._key(row), {})
        return stored if all(stored.get(name) == row[name] for name in self._origin) else {}

    def _key(self, row: Row) -> tuple[str, ...]:
        return tuple(row[name] for name in self._key_columns)

    def _write(self) -> None:
        write_whole(self.path, ",".join(self._columns) + "\n" + self._lines(self._rows.values()))

    def _lines(self, rows: Iterable[Row]) -> str:
        text = io.StringIO()
        csv.DictWriter(text, self._columns, restval="", lineterminator="\n").writerows(rows)
        return text.getvalue()


def _read(path: Path, fixed: Sequence[str]) -> tuple[list[str], list[Row]]:
    """Return the metric columns and the complete rows of an earlier run."""
    if not path.exists():
        return [], []
    try:
        # Without its newline a line may be half of a longer one: 0.71 of 0.7134.
        complete = path.read_text(encoding="utf-8").rpartition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        raise FusionError(f"{path} cannot be read; choose another output folder.") from error
    header, *lines = list(csv.reader(complete.splitlines())) or [[]]
    if complete and header[: len(fixed)] != fixed:
        raise FusionError(f"{path} is not a table of `volfuse evaluate`; choose another output folder.")
    rows: list[Row] = [dict(zip(header, line, strict=True)) for line in lines if len(line) == len(header)]
    return header[len(fixed) :], rows
