"""The files that a reader of the documentation is taken to have, made of phantoms."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from tests.conftest import REPOSITORY, grid
from tests.files import markups, write_series, write_templates
from volfuse.data.phantom_pairs import TASK, write_phantom_pairs
from volfuse.data.phantoms import Contrast, head_phantom
from volfuse.downstream import write_texture_stacks

sys.path.insert(0, str(REPOSITORY / "docs"))  # for write_tables

SHAPE, SPACING = (40, 48, 20), (4.0, 4.0, 8.0)
ORIGIN_LPS = (-78.0, -94.0, -76.0)  # of the DICOM series: where the grid of the volumes begins
POINTS = {"left eye": (-25.0, 78.0, -25.0), "right eye": (25.0, 78.0, -25.0), "crown": (0.0, 0.0, 70.0)}


@pytest.fixture
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that spares the demonstration the network."""
    folder = tmp_path_factory.mktemp("cache")
    write_templates(folder)
    return folder


@pytest.fixture
def reader(tmp_path: Path, save_head: Callable[..., Path]) -> Path:
    """A folder with volumes, DICOM series, pictures, landmarks, image pairs, cases and a bundle."""
    affine = grid(*SPACING, center=SHAPE)
    volumes: dict[str, Contrast] = {"mr": "mr", "pet": "pet", "ct": "ct", "before": "mr", "after": "mr"}
    for name, contrast in volumes.items():
        save_head(f"{name}.nii.gz", contrast, SHAPE, affine)
    for name in ("mr", "ct"):
        (tmp_path / f"{name}.mrk.json").write_text(markups("RAS", POINTS))
        # Rows of a DICOM slice go to the back of the patient, columns to the left.
        voxels = (head_phantom(SHAPE, affine, name) * 1000).astype(np.int16)[::-1, ::-1].transpose(2, 1, 0)
        write_series(tmp_path / name, voxels, f"1.2.{len(name)}.{ord(name[0])}", 0.0, SPACING, ORIGIN_LPS)
    for name, contrast in (("mri", "mr"), ("spect", "pet")):
        picture = (head_phantom(SHAPE, affine, contrast)[:, :, 10].T * 255).astype(np.uint8)
        sitk.WriteImage(sitk.GetImageFromArray(picture), str(tmp_path / f"{name}.png"))
    write_pairs(tmp_path / "DATA")
    for case in ("patient1", "patient2"):
        (tmp_path / "CASES" / case).mkdir(parents=True)
        for order, name in enumerate(("mr", "pet")):
            shutil.copy(tmp_path / f"{name}.nii.gz", tmp_path / "CASES" / case / f"{order}_{name}.nii.gz")
    write_texture_stacks(tmp_path / "CLASSES", cases_per_class=5, size=32)
    bundle = Path("monai_bundles") / "lightfusionnet"
    shutil.copytree(REPOSITORY / bundle, tmp_path / bundle)
    return tmp_path


def write_pairs(root: Path) -> None:
    """Write a data folder whose task is called ``pet_mri``, as in the pages."""
    write_phantom_pairs(root)
    (root / TASK).rename(root / "pet_mri")
    splits = json.loads((root / "splits.json").read_text(encoding="utf-8"))
    (root / "splits.json").write_text(json.dumps({"pet_mri": splits[TASK]}))
