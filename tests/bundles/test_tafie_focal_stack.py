"""The eleven focal planes of TAFIE, with three planes: training, then evaluation against the known truth."""

import csv
from pathlib import Path

import pytest

from tests.bundles.test_bundles import run, workflow
from volfuse.models import bundles


@pytest.mark.parametrize(
    ("recipe", "weights"), [("paper", "focal_stack.pt"), ("quality", "focal_stack_quality.pt")]
)
def test_a_network_for_focal_planes_trains_and_is_measured_against_the_truth(
    recipe: str, weights: str, pairs: Path, tmp_path: Path
) -> None:
    bundle = bundles()["tafie"]
    overrides = {
        "dataset_dir": str(pairs),
        "recipe": recipe,
        "tasks": ["phantom"],
        "num_planes": 3,
        "network_def::embed_dim": 8,
        "crop_size": [32, 32],
        "output_dir": str(tmp_path),
        "checkpoint_dir": str(tmp_path / "runs"),
    }
    files = ["train.json", "train_focal_stack.json"]
    run(workflow(bundle, "train", files, max_epochs=2, val_interval=2, **overrides))
    files.append("evaluate_focal_stack.json")
    run(
        workflow(
            bundle, "train", files, weights=str(tmp_path / weights), report_dir=str(tmp_path), **overrides
        )
    )
    with (tmp_path / "focal_stacks.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["image"] for row in rows} == {"8.png", "9.png"}
    models = {row["model"]: float(row["PSNR"]) for row in rows if row["image"] == "8.png"}
    assert models["guided_filter"] > models["best single plane"] and "tafie" in models
