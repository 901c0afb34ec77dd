import csv
from pathlib import Path

import pytest
import torch

from volfuse.data.focal_stack import focal_stack
from volfuse.evaluation.focal_stacks import BEST_PLANE, measure, write_report


@pytest.fixture
def stack() -> dict[str, object]:
    truth = 0.1 + 0.8 * torch.rand(1, 40, 48)
    depth = (torch.arange(48) >= 12).float().expand(40, 48)
    return {"name": "scene", "image": focal_stack(truth, depth, 3, 6.0), "truth": truth}


def test_a_constant_error_of_a_tenth_is_20_db(stack: dict[str, object]) -> None:
    rows = measure({"brighter": lambda planes: stack["truth"][None] + 0.1}, [stack])
    values = {row["model"]: row for row in rows}
    assert values["brighter"]["PSNR"] == pytest.approx(20, abs=1e-4)
    assert 0.9 < values["brighter"]["SSIM"] < 1


def test_the_best_plane_is_the_one_that_shows_most_of_the_scene(stack: dict[str, object]) -> None:
    models = {str(index): lambda planes, index=index: planes[:, index : index + 1] for index in range(3)}
    values = {row["model"]: row["PSNR"] for row in measure(models, [stack])}
    assert values[BEST_PLANE] == values["2"] > max(values["0"], values["1"])


def test_rules_that_choose_detail_beat_every_plane_and_the_average_does_not(stack: dict[str, object]) -> None:
    values = {row["model"]: row["PSNR"] for row in measure({}, [stack])}
    assert values["guided_filter"] > values[BEST_PLANE] > values["average"]


def test_the_report_has_a_row_per_image_and_the_means_best_first(tmp_path: Path) -> None:
    rows = [
        {"image": image, "model": model, "PSNR": psnr, "SSIM": 0.5}
        for image, model, psnr in (
            ("a", "low", 10.0),
            ("a", "high", 20.0),
            ("b", "low", 12.0),
            ("b", "high", 30.0),
        )
    ]
    table = write_report(rows, tmp_path / "new")
    assert table.splitlines()[2:] == ["| high | 25.00 | 0.5000 |", "| low | 11.00 | 0.5000 |"]
    with (tmp_path / "new" / "focal_stacks.csv").open() as file:
        stored = list(csv.DictReader(file))
    assert [row["PSNR"] for row in stored] == ["10.0", "20.0", "12.0", "30.0"]
