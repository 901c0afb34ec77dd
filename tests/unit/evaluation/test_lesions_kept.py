"""``volfuse evaluate --lesions``: summaries, table, files, and the section of the page."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from volfuse.evaluation.figure_lesions import draw_lesions_kept
from volfuse.evaluation.insertion import LesionRecord
from volfuse.evaluation.lesion_summary import groups, lesion_table, summarise
from volfuse.evaluation.report import evaluate
from volfuse.evaluation.selection import select
from volfuse.evaluation.tables import latex


def record(transfer: float, source: int = 0, sign: int = 1, task: str = "pet_mri") -> LesionRecord:
    return LesionRecord(task, "1.png", 0, source, sign, 4.0, 0.2 * sign, (9, 9), transfer)


@pytest.fixture
def report(pairs: Path, tmp_path: Path) -> Callable[..., Path]:
    def make(lesions: bool = True, models: tuple[str, ...] = ("average", "maximum")) -> Path:
        return evaluate(
            select(pairs, models=models, metrics=["sd"]), tmp_path / "report", lesions=lesions
        ).parent

    return make


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_summary_tells_the_usual_and_the_worst():
    summary = summarise([record(share / 10) for share in range(-1, 10)])
    assert (summary.lesions, summary.median, summary.tenth, summary.ninetieth) == pytest.approx(
        (11, 0.4, 0, 0.8)
    )
    assert summary.lost == pytest.approx(4 / 11) and summary.inverted == pytest.approx(1 / 11)


def test_groups_are_those_that_have_lesions():
    records = [record(0.1), record(0.2, source=1), record(0.3, source=2, task="ct_mri")]
    transfers = {name: [each.transfer for each in group] for name, group in groups(records).items()}
    assert transfers == {
        "all": [0.1, 0.2, 0.3],
        "first scan": [0.1],
        "second scan": [0.2],
        "scan 3": [0.3],
        "bright": [0.1, 0.2, 0.3],
        "pet_mri": [0.1, 0.2],
        "ct_mri": [0.3],
    }


def test_the_table_has_a_line_per_group_and_marks_models_without_one():
    table = lesion_table({"a": [record(0.9), record(0.1, source=1)], "b": [record(1.2)]})
    cells = {
        line.label: [f"{cell.value} {cell.interval}".strip() for cell in line.cells] for line in table.lines
    }
    assert table.title == "2 lesions: median share of their contrast that is kept [10th percentile, lost]"
    assert cells["all lesions"] == ["0.50 [0.18, 50 %]", "1.20 [1.20, 0 %]"]
    assert cells["second scan"] == ["0.10 [0.10, 100 %]", "n/a"]
    assert cells["pet-mri"] == cells["all lesions"] == cells["bright"]
    assert (cells["90th percentile"], cells["inverted"]) == (["0.82", "1.20"], ["0 %", "0 %"])
    assert r"{\scriptsize [0.18, 50 \%]}" in latex(table)


def test_the_figure_has_a_panel_per_model_and_shows_what_is_out_of_range():
    figure = draw_lesions_kept({f"model {number}": [record(3.0), record(-3.0, 1, -1)] for number in range(5)})
    titles = [axes.get_title("left") for axes in figure.axes]
    assert titles == [f"model {number}" for number in range(5)]
    for axes in figure.axes:
        low, high = axes.get_ylim()
        heights = [
            float(points.get_offsets()[0][1]) for points in axes.collections if len(points.get_offsets())
        ]
        assert len(heights) == 2 and all(low < height < high for height in heights)


def test_the_report_has_a_section_a_figure_and_every_lesion(report):
    folder = report()
    rows = read(folder / "lesions.csv")
    assert len(rows) == 2 * 4 * 4  # models, pairs, lesions
    kept = {
        row["model"]: float(row["median"])
        for row in read(folder / "lesion_summary.csv")
        if row["group"] == "all"
    }
    assert kept["average"] == 0.5 and kept["maximum"] != 0.5
    assert {row["transfer"] for row in rows if row["model"] == "average"} <= {"0.5", "nan"}
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert "<h2>Lesions kept</h2>" in page and "first scan" in page
    assert "median share of their contrast" in (folder / "summary.md").read_text(encoding="utf-8")
    assert (folder / "lesions_kept.png").is_file()


def test_without_the_option_there_is_no_section(report):
    folder = report(lesions=False)
    assert "Lesions kept" not in (folder / "index.html").read_text(encoding="utf-8")
    assert not list(folder.glob("lesion*"))


def test_a_second_run_measures_only_what_is_new(report):
    path = report() / "lesions.csv"
    marked = path.read_text(encoding="utf-8").replace(",0.5\n", ",0.125\n", 1)
    path.write_text(marked)
    report()
    assert path.read_text(encoding="utf-8") == marked
    report(models=("average", "maximum", "pca"))
    assert path.read_text(encoding="utf-8").count(",0.125\n") == 1 and len(read(path)) == 3 * 4 * 4


def test_other_images_are_measured_again(report, pairs):
    path = report() / "lesions.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",0.5\n", ",0.125\n"))
    for folder in ("mr", "pet"):
        files = sorted((pairs / "pet_mr" / "test" / folder).iterdir())
        files[0].write_bytes(files[1].read_bytes())
    report()
    rows = [row for row in read(path) if row["model"] == "average" and row["transfer"] != "nan"]
    assert {row["transfer"] for row in rows if row["pair"] == "1.png"} == {"0.5"}
    assert {row["transfer"] for row in rows if row["pair"] != "1.png"} == {"0.125"}
