"""The command ``volfuse info``. What computes loads only when it runs."""

import json
from pathlib import Path
from typing import Annotated

import typer

from volfuse.console import BAD_INPUT, Verbose, err, one_sentence, out


def info(
    paths: Annotated[list[Path], typer.Argument(help="Images or DICOM folders; two are compared.")],
    series: Annotated[
        list[str] | None,
        typer.Option(help="Which DICOM series: once for all paths, or once for each with 'auto' for others."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    verbose: Verbose = False,
) -> None:
    """Show what would be read, and whether two images lie on each other. Nothing is written."""
    with one_sentence(verbose):
        from volfuse.fusion.options import FusionOptions
        from volfuse.fusion.pipeline import readings
        from volfuse.info.report import look_at
        from volfuse.info.tables import image_table, relation_table, series_table

        report = look_at(paths, readings(FusionOptions(series=series or "auto"), len(paths)))
        if as_json:
            out.print_json(json.dumps(report.to_json()))
        else:
            if any(entry.summary for entry in report.images):
                out.print(image_table(report.images))
            for entry in report.images:
                if entry.series:
                    out.print(series_table(entry))
            if report.pair:
                out.print(relation_table(report.pair.relation))
                out.print(report.pair.verdict.sentence, soft_wrap=True, highlight=False, markup=False)
            for note in report.notes:
                out.print(f"Note: {note}", soft_wrap=True, highlight=False, markup=False)
        errors = [entry.error for entry in report.images if entry.error]
        for error in errors:
            err.print(f"Error: {error}", soft_wrap=True, highlight=False, markup=False)
        if errors:
            raise typer.Exit(BAD_INPUT)
