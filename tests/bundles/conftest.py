"""Every test of this folder runs over every bundle; train and evaluation data are small phantoms."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from tests.conftest import grid
from volfuse.data.phantoms import head_phantom
from volfuse.models import Bundle, bundles


@pytest.fixture(autouse=True)
def _denormal_numbers() -> Iterator[None]:
    """A training flushes them to zero in the whole process."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture(params=[name for name, bundle in bundles().items() if bundle.weights_file == "model.pt"])
def bundle(request: pytest.FixtureRequest) -> Bundle:
    return bundles()[request.param]


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with six training, two validation and two test pairs of 72x80 pixels."""
    root = tmp_path_factory.mktemp("pairs")
    affine = grid(3.0, 3.0, 10.0, center=(72, 80, 10))
    scans = {contrast: head_phantom((72, 80, 10), affine, contrast) for contrast in ("mr", "pet")}
    splits = {"sources": ["mri", "pet"], "clean_train": [], "clean_val": [], "test": []}
    for number in range(10):
        split = "clean_train" if number < 6 else "clean_val" if number < 8 else "test"
        splits[split].append(f"{number}.png")
        for modality, contrast in (("mri", "mr"), ("pet", "pet")):
            folder = root / "phantom" / ("test" if split == "test" else "train") / modality
            folder.mkdir(parents=True, exist_ok=True)
            picture = (scans[contrast][:, :, number].T * 255).round().astype(np.uint8)
            sitk.WriteImage(sitk.GetImageFromArray(picture), str(folder / f"{number}.png"))
    (root / "splits.json").write_text(json.dumps({"phantom": splits}))
    return root
