"""Phantom pairs of 48x56 pixels: small enough to run every model, too small for the widest metrics."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from tests.conftest import grid
from volfuse.data.phantoms import head_phantom

SHAPE = (48, 56, 8)


@pytest.fixture(scope="session")
def scans() -> dict[str, np.ndarray]:
    affine = grid(4.0, 4.0, 10.0, center=SHAPE)
    return {
        contrast: (head_phantom(SHAPE, affine, contrast) * 255).round().astype(np.uint8)
        for contrast in ("mr", "pet", "ct")
    }


@pytest.fixture
def make_pairs(tmp_path: Path, scans: dict[str, np.ndarray]) -> Callable[..., Path]:
    """Write a data folder; ``tasks`` maps a task to (contrasts, number of test pairs)."""

    def make(tasks: dict[str, tuple[tuple[str, ...], int]]) -> Path:
        root = tmp_path / "pairs"
        splits = {}
        for task, (contrasts, count) in tasks.items():
            names = [f"{number}.png" for number in range(1, count + 1)]
            splits[task] = {"sources": list(contrasts), "test": names, "clean_val": []}
            for contrast in contrasts:
                folder = root / task / "test" / contrast
                folder.mkdir(parents=True)
                for number, name in enumerate(names, 1):
                    picture = scans[contrast][:, :, number].T
                    # A PET is shown in colour: red for itself, a darker green.
                    voxels = (
                        np.stack([picture, picture // 2, picture * 0], -1) if contrast == "pet" else picture
                    )
                    image = sitk.GetImageFromArray(np.ascontiguousarray(voxels), isVector=contrast == "pet")
                    sitk.WriteImage(image, str(folder / name))
        (root / "splits.json").write_text(json.dumps(splits))
        return root

    return make


@pytest.fixture
def pairs(make_pairs: Callable[..., Path]) -> Path:
    """Four pairs of MR and coloured PET."""
    return make_pairs({"pet_mr": (("mr", "pet"), 4)})
