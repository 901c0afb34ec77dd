"""The whole way, on phantoms."""

import csv
import json
import re
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from volfuse.classical import CLASSICAL
from volfuse.errors import FusionError
from volfuse.evaluation import runner
from volfuse.evaluation.report import evaluate
from volfuse.evaluation.selection import select
from volfuse.evaluation.values import ValueFile
from volfuse.fusion.pipeline import FusionPipeline
from volfuse.fusion.steps import Case, Steps
from volfuse.imaging import read_image
from volfuse.metrics import METRICS
from volfuse.models import Model, catalogue

MODELS = ("lightfusionnet", "average", "maximum")
CHEAP = ("en", "sd", "qabf", "ms_ssim")  # the last is not defined on images this small
FILES = {
    "values.csv", "means.csv", "summary.md", "summary.tex", "statistics.csv", "index.html", "figure_grid.png",
    "critical_difference.png",
}  # fmt: skip


def run(pairs: Path, output: Path, models: Sequence[str] = MODELS, metrics: Sequence[str] = CHEAP, **options):
    return evaluate(select(pairs, models=models, metrics=metrics), output, "cpu", **options)


def rows(output: Path) -> list[dict[str, str]]:
    with (output / "values.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The metrics that were computed, in their order."""
    names: list[str] = []
    measure = runner._measure
    monkeypatch.setattr(
        runner, "_measure", lambda metric, *others: names.append(metric.name) or measure(metric, *others)
    )
    return names


class Requests(HTMLParser):
    """Collects whatever a browser would fetch."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = re.findall(r"url\(|@import", page)
        self.images = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        for name, value in attributes:
            if name in ("src", "href", "srcset", "data") and value:
                if value.startswith("data:image/png;base64,"):
                    self.images += 1
                else:
                    self.found.append(value)
        if tag in ("script", "link", "iframe"):
            self.found.append(tag)


def test_a_report_with_every_metric(pairs: Path, tmp_path: Path) -> None:
    page = run(pairs, tmp_path / "report", metrics=(), command="volfuse evaluate <here>")
    assert {path.name for path in page.parent.iterdir()} == FILES
    table = rows(page.parent)
    assert [(each["pair"], each["model"]) for each in table] == [
        (f"{number}.png", model) for number in (1, 2, 3, 4) for model in MODELS
    ]
    assert set(METRICS) <= set(table[0])
    content = page.read_text(encoding="utf-8")
    requests = Requests(content)
    assert requests.found == [] and requests.images == 2
    assert "For research. Not a medical device." in content
    assert "volfuse evaluate &lt;here&gt;" in content
    assert "MS-SSIM has no value for 4 of 4 pairs of pet_mr, whose images are too small for it." in content
    assert "test split" in content and "reference convention" in content


def test_values_are_those_of_the_fused_file(make_pairs: Callable[..., Path], tmp_path: Path) -> None:
    """What `volfuse fuse` would write, against the sources."""
    pairs = make_pairs({"ct_mr": (("mr", "ct"), 1)})
    run(pairs, tmp_path / "report", metrics=("qabf", "mi", "scd"))
    files = [pairs / "ct_mr" / "test" / contrast / "1.png" for contrast in ("mr", "ct")]
    sources = torch.stack([read_image(file)[0, ..., 0].as_tensor().T / 255 for file in files])[None]
    for row in rows(tmp_path / "report"):
        fused = FusionPipeline(row["model"], "cpu").fuse(files)[0, ..., 0].as_tensor().T / 255
        for name in ("qabf", "mi", "scd"):
            expected = METRICS[name](fused[None, None], sources).item()
            assert float(row[name]) == pytest.approx(expected, rel=1e-5), (row["model"], name)


def test_means_are_those_of_the_values(pairs: Path, tmp_path: Path) -> None:
    run(pairs, tmp_path / "report")
    values = rows(tmp_path / "report")
    with (tmp_path / "report" / "means.csv").open(newline="") as file:
        means = list(csv.DictReader(file))
    tasks = {row["task"] for row in values}
    defined = [name for name in CHEAP if name != "ms_ssim"]
    assert {(row["task"], row["model"], row["metric"]) for row in means} == set(
        product(tasks, MODELS, defined)
    )
    for row in means:
        own = [
            float(each[row["metric"]])
            for each in values
            if (each["task"], each["model"]) == (row["task"], row["model"])
        ]
        assert (row["split"], row["convention"], int(row["pairs"])) == ("test", "reference", len(own))
        assert float(row["mean"]) == pytest.approx(np.mean(own), rel=1e-5)
        assert min(own) <= float(row["low"]) <= float(row["mean"]) <= float(row["high"]) <= max(own)


def test_a_colour_source_is_measured_by_its_luminance(pairs: Path, tmp_path: Path) -> None:
    run(pairs, tmp_path / "report", models=["maximum"], metrics=["sd"])
    mr, pet = (read_image(pairs / "pet_mr" / "test" / name / "2.png").as_tensor() for name in ("mr", "pet"))
    luminance = (0.299 * pet[0] + 0.587 * pet[1] + 0.114 * pet[2]).maximum(mr[0]).round()
    assert float(rows(tmp_path / "report")[1]["sd"]) == pytest.approx(
        luminance.std(correction=0).item(), rel=1e-3
    )


def test_a_pair_is_prepared_once_for_all_models(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = []
    prepare = Steps.prepare
    monkeypatch.setattr(
        Steps, "prepare", lambda self, files: prepared.append(files[0].name) or prepare(self, files)
    )
    selection = select(pairs, models=("average", "maximum", "pca"), metrics=["sd"])
    pipelines = [FusionPipeline(model.name, "cpu") for model in selection.models]
    measurements, _ = runner.plan(selection, pipelines)
    values = runner.ValueFile(tmp_path / "values.csv", ["sd"])
    runner.run(measurements, values, lambda _: ["sd"], runner.measure_metrics("reference"))
    assert sorted(prepared) == ["1.png", "2.png", "3.png", "4.png"]


def test_a_stopped_run_goes_on_and_ends_the_same(pairs: Path, tmp_path: Path, measured: list[str]) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    run(pairs, whole)
    everything = len(measured)

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(pairs, stopped, progress=stop)
    written = len(rows(stopped))
    assert 0 < written < everything // len(CHEAP)
    with (stopped / "values.csv").open("a") as file:
        file.write("pet_mr,test,4.p")  # the half of a line
    measured.clear()
    run(pairs, stopped)
    assert len(measured) == everything - written * len(CHEAP)
    assert (stopped / "values.csv").read_bytes() == (whole / "values.csv").read_bytes()
    assert (stopped / "statistics.csv").read_bytes() == (whole / "statistics.csv").read_bytes()
    tables = [
        (folder / "summary.md").read_text(encoding="utf-8").split("### Cost")[0]
        for folder in (stopped, whole)
    ]
    assert tables[0] == tables[1]


def test_only_what_is_new_is_measured(pairs: Path, tmp_path: Path, measured: list[str]) -> None:
    report = tmp_path / "report"
    run(pairs, report, models=["average"], metrics=["sd"])
    measured.clear()
    run(pairs, report, models=["average"], metrics=["sd"])
    assert measured == []
    run(pairs, report, models=["average"], metrics=["sd", "en"])
    assert measured == ["en"] * 4
    measured.clear()
    run(pairs, report, models=["average", "maximum"], metrics=["en"])
    assert measured == ["en"] * 4
    measured.clear()
    (pairs / "pet_mr/test/mr/2.png").write_bytes((pairs / "pet_mr/test/mr/3.png").read_bytes())
    run(pairs, report, models=["average"], metrics=["en"])
    assert measured == ["en"]


def test_one_pair_gives_numbers_but_no_statistics(make_pairs: Callable[..., Path], tmp_path: Path) -> None:
    page = run(make_pairs({"pet_mr": (("mr", "pet"), 1)}), tmp_path / "report")
    assert "pet_mr has values of only one pair: too few for statistics." in page.read_text(encoding="utf-8")
    assert "<h2>Statistics</h2>" not in page.read_text(encoding="utf-8")
    assert {path.name for path in page.parent.iterdir()} == FILES - {"critical_difference.png"}
    assert len((page.parent / "statistics.csv").read_text(encoding="utf-8").splitlines()) == 1
    assert "[" not in (page.parent / "summary.md").read_text(encoding="utf-8").split("###")[1]


def test_a_constant_image_is_left_out_with_a_sentence(pairs: Path, tmp_path: Path) -> None:
    sitk.WriteImage(
        sitk.GetImageFromArray(np.full((56, 48), 7, np.uint8)), str(pairs / "pet_mr/test/mr/2.png")
    )
    page = run(pairs, tmp_path / "report")
    sentence = "pet_mr/2.png is left out: 2.png has the value 7 everywhere; there is nothing to fuse."
    assert sentence in page.read_text(encoding="utf-8")
    assert f"- {sentence}" in (page.parent / "summary.md").read_text(encoding="utf-8").splitlines()
    assert "### pet_mr, 3 pairs" in (page.parent / "summary.md").read_text(encoding="utf-8")


def test_nothing_but_unfit_pairs_is_an_error(make_pairs: Callable[..., Path], tmp_path: Path) -> None:
    pairs = make_pairs({"pet_mr": (("mr", "pet"), 1)})
    (pairs / "pet_mr/test/mr/1.png").write_text("no image")
    with pytest.raises(FusionError, match=r"pet_mr/1\.png is left out: 1\.png could not be read"):
        run(pairs, tmp_path / "report")


def test_a_model_is_left_out_of_tasks_that_do_not_fit(
    make_pairs: Callable[..., Path], tmp_path: Path
) -> None:
    pairs = make_pairs({"two": (("mr", "pet"), 3), "three": (("mr", "pet", "ct"), 3)})
    page = run(pairs, tmp_path / "report")
    sentence = "lightfusionnet fuses 2 images and is left out of three, whose pairs have 3."
    assert page.read_text(encoding="utf-8").count(sentence) == 1
    summary = (page.parent / "summary.md").read_text(encoding="utf-8")
    assert "### two, 3 pairs\n\n|  | lightfusionnet | average | maximum |" in summary
    assert "### three, 3 pairs\n\n|  | average | maximum |" in summary
    with pytest.raises(FusionError, match=re.escape(sentence)):
        evaluate(select(pairs, models=["lightfusionnet"], tasks=["three"]), tmp_path / "other", "cpu")
    assert not (tmp_path / "other").exists()


def test_a_model_that_fails_on_a_pair_takes_the_pair_from_all(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Means over different pairs would not compare."""
    fuse = Steps.fuse
    selection = select(pairs, models=["average"])
    average = FusionPipeline("average", "cpu")
    darkest = min(average.steps(2).prepare(pair.sources)["image"].mean() for pair in selection.pairs)

    def fail_once(self: Steps, case: Case) -> torch.Tensor:
        if type(self._network) is type(average.network) and case["image"].mean() == darkest:
            raise FusionError("It is broken.")
        return fuse(self, case)

    monkeypatch.setattr(Steps, "fuse", fail_once)
    page = run(pairs, tmp_path / "report")
    assert "is left out: average failed: It is broken." in page.read_text(encoding="utf-8")
    assert "### pet_mr, 3 pairs" in (page.parent / "summary.md").read_text(encoding="utf-8")


def test_volumes_have_the_mean_of_their_slices(tmp_path: Path, scans: dict[str, np.ndarray]) -> None:
    for contrast in ("mr", "ct"):
        folder = tmp_path / "pairs" / "head" / "test" / contrast
        folder.mkdir(parents=True)
        image = sitk.GetImageFromArray(np.ascontiguousarray(scans[contrast].T))
        sitk.WriteImage(image, str(folder / "1.nii.gz"))
    splits = {"head": {"sources": ["mr", "ct"], "test": ["1.nii.gz"]}}
    (tmp_path / "pairs" / "splits.json").write_text(json.dumps(splits))
    run(tmp_path / "pairs", tmp_path / "report", models=["average"], metrics=["sd"])
    sources = torch.from_numpy(np.stack([scans["mr"], scans["ct"]])).float().movedim(-1, 0) / 255
    fused = (CLASSICAL["average"]()(sources) * 255).round() / 255
    expected = METRICS["sd"](fused, sources).mean().item()
    assert float(rows(tmp_path / "report")[0]["sd"]) == pytest.approx(expected, rel=1e-3)


def test_the_published_convention_gives_other_values(pairs: Path, tmp_path: Path) -> None:
    values = {}
    for convention in ("reference", "published"):
        selection = select(pairs, models=["average"], metrics=["sf"], convention=convention)
        page = evaluate(selection, tmp_path / "report", "cpu")
        assert f"{convention} convention" in page.read_text(encoding="utf-8")
        (row, *_) = rows(page.parent)
        assert row["convention"] == convention
        values[convention] = float(row["sf"])
    assert values["published"] < values["reference"]


def test_an_unknown_convention_is_an_error(pairs: Path) -> None:
    with pytest.raises(FusionError, match="There is no convention 'mine'; choose from: reference, published"):
        select(pairs, convention="mine")


def test_every_model_of_the_catalogue_has_a_cost(pairs: Path, tmp_path: Path) -> None:
    models: dict[str, Model] = catalogue()
    page = run(pairs, tmp_path / "report", models=(), metrics=["sd"])
    cost = (page.parent / "summary.md").read_text(encoding="utf-8").split("### Cost")[1].splitlines()
    header, parameters, multiply_adds, seconds = (
        [cell.strip() for cell in cost[line].split("|")] for line in (2, 4, 5, 6)
    )
    assert header[2:-1] == list(models)
    number = header.index("lightfusionnet")
    assert (parameters[number], multiply_adds[number]) == ("4,365", "0.288")
    assert parameters[header.index("dwt")] == "0" and multiply_adds[header.index("dwt")] == "n/a"
    assert all(float(cell) > 0 for cell in seconds[2:-1])


def test_notes_on_the_images_of_a_pair_are_told_once(tmp_path: Path, mr_file: Path, pet_file: Path) -> None:
    for source in (mr_file, pet_file):
        folder = tmp_path / "pairs" / "volumes" / "test" / source.name.partition(".")[0]
        folder.mkdir(parents=True)
        source.rename(folder / "1.nii.gz")
    index = {"volumes": {"sources": ["mr", "pet"], "test": ["1.nii.gz"]}}
    (tmp_path / "pairs" / "splits.json").write_text(json.dumps(index))
    selection = select(tmp_path / "pairs", models=["average", "laplacian"], metrics=["en"])
    measurements, notes = runner.plan(
        selection, [FusionPipeline(name, "cpu") for name in ("average", "laplacian")]
    )
    values = ValueFile(tmp_path / "values.csv", ["en"])
    notes += runner.run(measurements, values, lambda each: ["en"], runner.measure_metrics("reference"))
    assert notes == [
        "volumes/1.nii.gz: pet/1.nii.gz is resampled onto the grid of mr/1.nii.gz and covers 95% of it."
    ]
