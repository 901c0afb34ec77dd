"""One HTML page that holds everything: tables, statistics and figures, without a single request."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from volfuse.evaluation.statistics import ALPHA
from volfuse.evaluation.tables import Table, arrow, html_label
from volfuse.evaluation.verdicts import Verdict


@dataclass(frozen=True)
class Picture:
    """A picture with its caption, shown ``width`` CSS pixels wide, behind a scroll bar if need be."""

    title: str
    caption: str
    png: bytes
    width: int


@dataclass(frozen=True)
class LesionSection:
    """What the insertion test found, and sentences about lesions that were left out."""

    table: Table
    picture: Picture
    notes: Sequence[str]


@dataclass(frozen=True)
class Report:
    """What the page shows.

    Attributes:
        tables: one per task, then costs.
        lesions: what the insertion test found, if it was run.
        verdicts: task -> one line per metric.
        pictures: in their order.
        notes: sentences about what was left out.
        origin: how the report was made, name -> value.
    """

    tables: Sequence[Table]
    lesions: LesionSection | None
    verdicts: Mapping[str, Sequence[Verdict]]
    pictures: Sequence[Picture]
    notes: Sequence[str]
    origin: Mapping[str, str]


def render(report: Report) -> str:
    """Return the page as HTML."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["label"] = lambda label: Markup(html_label(label))
    environment.filters["base64"] = lambda content: base64.b64encode(content).decode()
    template = environment.get_template("page.html.j2")
    return template.render(report=report, arrow=arrow, alpha=ALPHA)
