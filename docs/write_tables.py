"""Write the tables of the Markdown pages from their CSVs.

    python docs/write_tables.py            write them
    python docs/write_tables.py --check    say which pages differ from their CSVs, exit with 1 if any does

A table stands between two comments, and nobody edits what is between them::

    <!-- table: results/test_pairs.csv show=task,model across=metric cell={mean} metric=qabf,scd -->
    <!-- /table -->

First the CSV (several with commas), its path from the top of the repository. Then, in any order:

``COLUMN=VALUE,VALUE``
    keep the rows with one of these values, in this order.
``show=COLUMN,COLUMN``
    the columns to show; by default all that vary.
``across=COLUMN``, ``cell=TEMPLATE``
    make a column of each value of this one; ``{name}`` in the template stands for a column.

What holds spaces stands in quotes. A column of numbers gets as many decimals as give its largest number four digits,
three at most (four below 0.1), and never more than the CSV has.

In the same way ``<!-- kept: MODEL -->`` and ``<!-- /kept -->`` hold the sentence of ``volfuse models`` on what a model
keeps of a lesion, which comes from ``results/lesions.csv``.
"""

import csv
import re
import shlex
import string
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from volfuse.metrics import METRICS
from volfuse.models import find

ROOT = Path(__file__).parents[1]
PAGES = ("*.md", "docs/**/*.md", "monai_bundles/*/docs/*.md", "research/*.md", "results/*.md")
TABLE = re.compile(r"(<!-- table: (.*?) -->\n).*?(<!-- /table -->)", re.DOTALL)
KEPT = re.compile(r"(<!-- kept: (.*?) -->\n).*?(<!-- /kept -->)", re.DOTALL)
_DECIMAL = re.compile(r"[-+]?\d+\.(\d+)")

Row = Mapping[str, str]


class TableError(Exception):
    """A table cannot be made; says in one sentence which, and why."""


@dataclass(frozen=True)
class Request:
    """What one comment asks for.

    Attributes:
        files: the CSVs, relative to the top of the repository.
        keep: column -> the values to keep, in order.
        show: the columns to show; empty for all that vary.
        across: the column whose values become columns; empty for none.
        cell: the template of a cell under ``across``.
    """

    files: Sequence[str]
    keep: Mapping[str, Sequence[str]]
    show: Sequence[str]
    across: str
    cell: str

    @classmethod
    def parse(cls, text: str) -> "Request":
        """Read ``FILE,FILE name=value name=value``."""
        files, *pairs = shlex.split(text)
        options = dict(pair.split("=", 1) for pair in pairs)
        show, across, cell = (options.pop(name, "") for name in ("show", "across", "cell"))
        keep = {name: values.split(",") for name, values in options.items()}
        return cls(files.split(","), keep, show.split(",") if show else [], across, cell)


def main() -> int:
    """Write or check all pages; return the exit code."""
    stale = {}
    for page in pages():
        text = page.read_text(encoding="utf-8")
        if (fresh := refresh(text)) != text:
            stale[page] = fresh
    is_check = "--check" in sys.argv[1:]
    for page, fresh in stale.items():
        if is_check:
            print(f"{page.relative_to(ROOT)} differs from its CSVs; run: python docs/write_tables.py")
        else:
            page.write_text(fresh, encoding="utf-8")
            print(page.relative_to(ROOT))
    return int(is_check and bool(stale))


def pages() -> list[Path]:
    """Return every Markdown page of the repository that may hold tables."""
    return sorted(page for pattern in PAGES for page in ROOT.glob(pattern))


def refresh(markdown: str) -> str:
    """Return the page with every table and every sentence on lesions made anew.

    Raises:
        TableError: if a CSV, a column or a value that a table asks for does not exist.
        FusionError: if there is no such model.
    """

    def replace(found: re.Match[str]) -> str:
        begin, request, end = found.groups()
        try:
            return f"{begin}\n{render(Request.parse(request))}\n{end}"
        except (OSError, TableError, KeyError) as error:
            raise TableError(f"The table '{request}' cannot be made: {error}") from error

    return KEPT.sub(
        lambda found: f"{found[1]}{find(found[2]).kept}\n{found[3]}", TABLE.sub(replace, markdown)
    )


def render(request: Request) -> str:
    """Return one table in Markdown."""
    rows = select(read(request.files), request.keep)
    columns = _spread(rows, request) if request.across else _plain(rows, request)
    head = [_title(name) for name in columns]
    body = list(zip(*columns.values(), strict=True))
    rule = ["---:" if all(map(_is_number, cells)) else "---" for cells in columns.values()]
    return "".join(f"| {' | '.join(line)} |\n" for line in (head, rule, *body))


def read(files: Iterable[str]) -> list[Row]:
    """Return the rows of all files, one after another."""
    rows: list[Row] = []
    for name in files:
        with (ROOT / name).open(newline="", encoding="utf-8") as file:
            rows += csv.DictReader(file)
    return rows


def select(rows: Sequence[Row], keep: Mapping[str, Sequence[str]]) -> list[Row]:
    """Keep the rows whose columns have the wanted values, ordered as these are."""
    for column, values in keep.items():
        if absent := set(values) - {row[column] for row in rows}:
            raise TableError(f"no row has {column}={sorted(absent)[0]}.")
        rows = [row for row in rows if row[column] in values]
    return sorted(rows, key=lambda row: [values.index(row[column]) for column, values in keep.items()])


def _plain(rows: Sequence[Row], request: Request) -> dict[str, list[str]]:
    """Return title -> cells of the shown columns."""
    fixed = {column for column, values in request.keep.items() if len(values) == 1}
    shown = request.show or [column for column in rows[0] if column not in fixed]
    return {column: _labels(column, _rounded([row[column] for row in rows])) for column in shown}


def _spread(rows: Sequence[Row], request: Request) -> dict[str, list[str]]:
    """Return the shown columns, then one column for each value of ``across``."""
    fields = [name for _, name, _, _ in string.Formatter().parse(request.cell) if name]
    if not (request.show and fields):
        raise TableError("a table with 'across' needs 'show' and 'cell' as well.")
    lines = list(dict.fromkeys(tuple(row[column] for column in request.show) for row in rows))
    columns = {
        column: _labels(column, [line[index] for line in lines]) for index, column in enumerate(request.show)
    }
    for value in request.keep.get(request.across) or dict.fromkeys(row[request.across] for row in rows):
        own = [row for row in rows if row[request.across] == value]
        places = [tuple(row[column] for column in request.show) for row in own]
        if len(set(places)) < len(places):
            raise TableError(f"several rows would share a cell under {value}; keep or show more columns.")
        numbers = [_rounded([row[field] for row in own]) for field in fields]
        texts = [
            request.cell.format(**dict(zip(fields, each, strict=True))) for each in zip(*numbers, strict=True)
        ]
        cells = dict(zip(places, texts, strict=True))
        columns[value] = [cells.get(line, "") for line in lines]
    return columns


def _rounded(texts: Sequence[str]) -> list[str]:
    """Round the numbers with a decimal point among the texts of one column alike."""
    numbers = [found for text in texts if (found := _DECIMAL.fullmatch(text))]
    if not numbers:
        return list(texts)
    largest = max(abs(float(found[0])) for found in numbers)
    decimals = next((count for bound, count in ((0.1, 4), (10, 3), (100, 2)) if largest < bound), 1)
    return [
        f"{float(text):.{min(decimals, len(found[1]))}f}" if (found := _DECIMAL.fullmatch(text)) else text
        for text in texts
    ]


def _is_number(text: str) -> bool:
    """Whether a cell is empty or begins with a number."""
    return bool(re.fullmatch(r"([-+]?[\d,.]+%?|inf)?( .*)?", text))


def _title(column: str) -> str:
    if metric := METRICS.get(column):
        return metric.label + ("" if metric.higher_is_better else " ↓")
    return column.replace("_", " ")


def _labels(column: str, cells: Sequence[str]) -> list[str]:
    if column == "task":
        return [cell.upper().replace("_", "-") for cell in cells]
    return [_title(cell) for cell in cells] if column == "metric" else list(cells)


if __name__ == "__main__":
    sys.exit(main())
