from pathlib import Path

import torch

from tests.bundles.test_bundles import run, workflow
from volfuse.models import bundles


def test_refining_starts_from_the_trained_weights_and_leaves_its_own(pairs: Path, tmp_path: Path) -> None:
    bundle = bundles()["unionnet"]
    start = torch.load(bundle.weights, weights_only=True)
    overrides = {"dataset_dir": str(pairs), "tasks": ["phantom"], "max_epochs": 1}

    def change(learning_rate: float) -> float:
        files = ["train.json", "refine.json"]
        paths = {"start": str(bundle.weights), "output_dir": str(tmp_path / str(learning_rate))}
        run(workflow(bundle, "train", files, learning_rate=learning_rate, **paths, **overrides))
        refined = torch.load(tmp_path / str(learning_rate) / "last.pt", weights_only=True)
        return max((refined[name] - start[name]).abs().max().item() for name in start)

    assert change(0.0) < 1e-6  # the moving average rounds
    assert 0 < change(0.001) < 0.1
