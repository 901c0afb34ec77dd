"""The eleven focal planes of TAFIE, with three planes: training, then evaluation against the known truth."""

import csv
from pathlib import Path

import pytest

from tests.bundles.test_bundles import run, workflow
from volfuse.models import bundles


@pytest.mark.parametrize(
    "files",
    [
        ["train.json", "train_focal_stack.json"],
        ["train.json", "train_focal_stack.json", "focal_stack_quality.json"],
    ],
)
def test_a_network_for_focal_planes_trains_and_is_measured_against_the_truth(
    files: list[str], pairs: Path, tmp_path: Path
) -> None:
    bundle = bundles()["tafie"]
    overrides = {
        "dataset_dir": str(pairs),
        "tasks": ["phantom"],
        "num_planes": 3,
        "network_def::embed_dim": 8,
        "crop_size": [32, 32],
        "output_dir": str(tmp_path),
    }
    run(workflow(bundle, "train", files, max_epochs=2, val_interval=2, **overrides))
    run(
        workflow(
            bundle, "train", [*files, "evaluate_focal_stack.json"], report_dir=str(tmp_path), **overrides
        )
    )
    with (tmp_path / "focal_stacks.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["image"] for row in rows} == {"8.png", "9.png"}
    models = {row["model"]: float(row["PSNR"]) for row in rows if row["image"] == "8.png"}
    assert models["guided_filter"] > models["best single plane"] and "tafie" in models
