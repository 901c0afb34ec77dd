"""From a selection of models and pairs to a folder with tables, statistics, figures and one page."""

import io
import platform
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import monai
import torch
from matplotlib.figure import Figure

import volfuse
from volfuse.errors import FusionError
from volfuse.evaluation.costs import describe_device, measure_cost
from volfuse.evaluation.figure_grid import draw_grid
from volfuse.evaluation.figure_lesions import draw_lesions_kept
from volfuse.evaluation.figure_ranks import draw_ranks
from volfuse.evaluation.lesion_run import run_lesions
from volfuse.evaluation.lesion_summary import lesion_table, summary_csv
from volfuse.evaluation.means import means_csv
from volfuse.evaluation.page import LesionSection, Picture, Report, render
from volfuse.evaluation.results import TaskValues, collect
from volfuse.evaluation.runner import Measurement, measure_metrics, plan, run
from volfuse.evaluation.selection import Selection
from volfuse.evaluation.tables import Table, cost_table, latex, markdown, summary_table
from volfuse.evaluation.values import ValueFile
from volfuse.evaluation.verdicts import analyse_task, shortcomings, statistics_csv, verdicts
from volfuse.fusion.pipeline import FusionPipeline
from volfuse.storage import write_whole

_RESOLUTION = 160  # dots per inch: a 256-pixel image is drawn with about as many dots
_CSS_PIXELS = 96  # per inch


def evaluate(
    selection: Selection,
    output: Path,
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
    command: str = "",
    lesions: bool = False,
) -> Path:
    """Run the selected models over the selected pairs and write the report.

    Rows that ``values.csv`` in ``output`` holds already are not computed again, so a stopped run goes on.

    Args:
        selection: from ``volfuse.evaluation.selection.select``.
        output: a folder; it is made if it is missing.
        device: where networks run: ``"auto"``, ``"cpu"``, ``"cuda"``, ...
        progress: called as ``progress(pairs_done, pairs_in_all)``.
        command: how the report was asked for, to be shown in it.
        lesions: also put lesions into single sources and report what of them arrives.

    Returns:
        The page, ``output/index.html``.

    Raises:
        FusionError: before any work, if weights are missing, no model fits or the folder cannot be written;
            after it, if no pair could be fused.
    """
    pipelines = [FusionPipeline(model.name, device) for model in selection.models]
    measurements, notes = plan(selection, pipelines)
    values = ValueFile(output / "values.csv", [metric.name for metric in selection.metrics])
    notes += run(
        measurements,
        values,
        lambda each: values.missing(each.row),
        measure_metrics(selection.convention),
        progress,
    )
    values.sort(each.row for each in measurements)
    tasks = collect(measurements, values, selection.metrics)
    if not tasks:
        raise FusionError(notes[0])

    kept = _lesions_kept(measurements, output, progress) if lesions else None
    notes += kept.notes if kept else []
    costs = {pipeline.model.name: measure_cost(pipeline) for pipeline in pipelines}
    tables = [*(summary_table(task, selection.metrics) for task in tasks), cost_table(costs)]
    analyses = {task.task: analyse_task(task, selection.metrics) for task in tasks}
    for task in tasks:
        notes += shortcomings(task, selection.metrics)
    means = means_csv(tasks, selection.metrics, selection.split, selection.convention)
    write_whole(output / "means.csv", means)
    every_table = [*tables, kept.table] if kept else tables
    write_whole(output / "summary.md", _summary(selection, every_table, notes))
    write_whole(
        output / "summary.tex",
        "% for the packages booktabs and graphicx\n" + "\n".join(map(latex, every_table)),
    )
    write_whole(output / "statistics.csv", statistics_csv(analyses))
    page = Report(
        tables=tables,
        lesions=kept,
        verdicts={
            task.task: lines
            for task in tasks
            if (lines := verdicts(task, selection.metrics, analyses[task.task]))
        },
        pictures=_pictures(selection, pipelines, tasks, output),
        notes=notes,
        origin=_origin(selection, pipelines[0].device, command),
    )
    return write_whole(output / "index.html", render(page))


def _summary(selection: Selection, tables: Sequence[Table], notes: Sequence[str]) -> str:
    head = (
        f"# Image fusion evaluation\n\n{selection.split} split, {selection.convention} convention. Mean "
        "[95 % bootstrap interval]; best bold, second underlined.\n\nFor research. Not a medical device.\n"
    )
    return "\n".join([head, *map(markdown, tables), *(f"- {note}" for note in notes)]).rstrip() + "\n"


def _lesions_kept(
    measurements: Sequence[Measurement], output: Path, progress: Callable[[int, int], None] | None
) -> LesionSection | None:
    """Run the insertion test and write its files; nothing if no lesion has a place."""
    records, notes = run_lesions(measurements, output / "lesions.csv", progress)
    if not records:
        return None
    origins = {each.model: each.row for each in measurements}
    write_whole(output / "lesion_summary.csv", summary_csv(records, origins))
    caption = (
        "Each point is a lesion in one scan; its height says how much of its contrast the fused image shows. In the "
        "grey band it is lost to a reader, above the dashed line it is amplified."
    )
    picture = _save(draw_lesions_kept(records), output / "lesions_kept.png", "Lesions kept", caption)
    return LesionSection(lesion_table(records), picture, notes)


def _pictures(
    selection: Selection, pipelines: Sequence[FusionPipeline], tasks: Sequence[TaskValues], output: Path
) -> list[Picture]:
    measured = {(task.task, name) for task in tasks for name in task.pairs}
    pairs = [pair for pair in selection.pairs if (pair.task, pair.name) in measured]
    grid = draw_grid(pairs, pipelines)
    caption = "Sources and fused images; below each, the framed region enlarged."
    pictures = [_save(grid, output / "figure_grid.png", "Fused images", caption)]
    path = output / "critical_difference.png"
    path.unlink(missing_ok=True)  # an earlier run may have had more to compare
    if ranks := draw_ranks(tasks):
        caption = (
            "Average Friedman ranks, best on the left. A bar joins models whose ranks differ by less than the "
            "critical difference of Nemenyi's test (p = 0.05; Demšar 2006)."
        )
        pictures.append(_save(ranks, path, "Average ranks", caption))
    return pictures


def _save(figure: Figure, path: Path, title: str, caption: str) -> Picture:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=_RESOLUTION, facecolor=figure.get_facecolor())
    write_whole(path, content.getvalue())
    return Picture(title, caption, content.getvalue(), round(figure.get_figwidth() * _CSS_PIXELS))


def _origin(selection: Selection, device: torch.device, command: str) -> dict[str, str]:
    return {
        "Command": command,
        "Date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "Split": selection.split,
        "Convention": selection.convention,
        "Models": ", ".join(f"{model.name} {model.version}" for model in selection.models),
        "Programs": f"volfuse {volfuse.__version__}, torch {torch.__version__}, MONAI {monai.__version__}, "
        f"Python {platform.python_version()}",
        "Times on": describe_device(device),
    }
