import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from volfuse.cli import app
from volfuse.metrics import METRICS
from volfuse.models import bundles, catalogue


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


def test_names_come_with_commas_or_one_by_one(pairs: Path, tmp_path: Path) -> None:
    output = tmp_path / "deep" / "report"
    result = run(
        "--pairs",
        pairs,
        "-o",
        output,
        "--models",
        "average,maximum",
        "--models",
        "pca",
        "--metrics",
        "sd, en",
    )
    assert result.exit_code == 0, result.output
    assert result.stdout == f"Report: {output / 'index.html'}\n"
    header = (output / "values.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header.endswith(",sd,en")
    assert "|  | average | maximum | pca |" in (output / "summary.md").read_text(encoding="utf-8")


def no_pairs(pairs: Path, tmp_path: Path) -> list[object]:
    return ["--pairs", tmp_path]


def broken_index(pairs: Path, tmp_path: Path) -> list[object]:
    (pairs / "splits.json").write_text("{")
    return []


def missing_image(pairs: Path, tmp_path: Path) -> list[object]:
    (pairs / "pet_mr/test/pet/3.png").unlink()
    return []


def output_below_a_file(pairs: Path, tmp_path: Path) -> list[object]:
    (tmp_path / "file").write_text("x")
    return ["-o", tmp_path / "file" / "report"]


def foreign_values(pairs: Path, tmp_path: Path) -> list[object]:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "values.csv").write_text("a,b\n1,2\n")
    return []


# What to change in the input, which returns further options, and the whole sentence.
BAD_INPUT: dict[str, tuple[Callable[[Path, Path], list[object]], str]] = {
    "no data folder": (no_pairs, "There is no {tmp}/splits.json; give a folder of image pairs."),
    "damaged index": (
        broken_index, "{pairs}/splits.json is no valid JSON; docs/how-to/compare-models.md says what it holds."
    ),
    "missing image": (
        missing_image, "{pairs}/pet_mr/test/pet/3.png is named in splits.json but does not exist."
    ),
    "unknown model": (
        lambda *_: ["--models", "average,x"], "There is no model 'x'; choose from: {models}."
    ),
    "unknown metric": (lambda *_: ["--metrics", "x"], "There is no metric 'x'; choose from: {metrics}."),
    "unknown task": (lambda *_: ["--tasks", "x"], "There is no task 'x'; choose from: pet_mr."),
    "unknown split": (
        lambda *_: ["--split", "x"], "splits.json has no split 'x' of task 'pet_mr' (test, clean_val)."
    ),
    "empty split": (
        lambda *_: ["--split", "clean_val"],
        "The split 'clean_val' holds no pairs of these tasks; choose another split.",
    ),
    "unknown device": (
        lambda *_: ["--device", "cuda:77"], "The device 'cuda:77' is not available here; use 'auto' or 'cpu'."
    ),
    "no folder there": (
        output_below_a_file,
        "{tmp}/file/report/values.csv could not be written; choose another folder, or check that this one is "
        "writable and has free space.",
    ),
    "foreign values": (
        foreign_values,
        "{tmp}/report/values.csv is not a table of `volfuse evaluate`; choose another output folder.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_gives_one_sentence(case: str, pairs: Path, tmp_path: Path) -> None:
    change, sentence = BAD_INPUT[case]
    options = change(pairs, tmp_path)
    before = sorted(tmp_path.rglob("*"))
    result = run("--pairs", pairs, "-o", tmp_path / "report", *options)
    names = {"models": ", ".join(catalogue()), "metrics": ", ".join(METRICS)}
    expected = sentence.format(tmp=tmp_path, pairs=pairs, **names)
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", f"Error: {expected}\n")
    assert sorted(tmp_path.rglob("*")) == before


def test_an_unknown_convention_is_refused(pairs: Path, tmp_path: Path) -> None:
    result = run("--pairs", pairs, "-o", tmp_path / "report", "--convention", "mine")
    assert result.exit_code == 2 and "'reference', 'published'" in result.stderr


def test_missing_weights_stop_it_before_any_work(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "bundles" / "bare"
    shutil.copytree(bundles()["lightfusionnet"].root, copy)
    (copy / "models" / "model.pt").unlink()
    monkeypatch.setenv("VOLFUSE_BUNDLES", str(copy.parent))
    result = run("--pairs", pairs, "-o", tmp_path / "report", "--models", "average,bare")
    weights = copy / "models" / "model.pt"
    assert result.exit_code == 2
    assert (
        result.stderr
        == f"Error: The weights of bare are missing; put them at {weights} or install volfuse again.\n"
    )
    assert not (tmp_path / "report").exists()


def test_a_missing_package_is_named(pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "volfuse.evaluation.report", None)
    result = run("--pairs", pairs, "-o", tmp_path / "report")
    assert result.exit_code == 2 and "install it with: pip install 'volfuse[evaluate]'" in result.stderr
