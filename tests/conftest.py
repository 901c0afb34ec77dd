"""Fixtures that more than one room of tests uses."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from hypothesis import settings
from monai.data import MetaTensor

from volfuse.data.phantoms import Contrast, head_phantom
from volfuse.imaging.files import write_image

# Small images gain nothing from threads, and lose much where another process wants the cores.
torch.set_num_threads(1)

# A busy machine is no reason for a test to fail.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real image pairs are not beside this checkout")
    return folder


@pytest.fixture
def save_head(tmp_path: Path) -> Callable[..., Path]:
    """Write a phantom head on a grid to a uint8 file."""

    def save(name: str, contrast: Contrast, shape: tuple[int, int, int], affine: np.ndarray) -> Path:
        values = torch.from_numpy(head_phantom(shape, affine, contrast))[None]
        image = MetaTensor((values * 255).round().to(torch.uint8), affine=torch.from_numpy(affine))
        return write_image(image, tmp_path / name)

    return save


@pytest.fixture
def mr_file(save_head: Callable[..., Path]) -> Path:
    return save_head("mr.nii.gz", "mr", (40, 48, 20), grid(4.0, 4.0, 8.0, center=(40, 48, 20)))


@pytest.fixture
def pet_file(save_head: Callable[..., Path]) -> Path:
    """Another grid than ``mr_file``: coarser, oblique, shifted."""
    return save_head("pet.nii.gz", "pet", (30, 36, 24), oblique(grid(6.0, 6.0, 7.0, center=(30, 36, 24))))


def grid(*spacing: float, center: tuple[int, int, int]) -> np.ndarray:
    """RAS grid of some spacing (mm) whose middle voxel lies at the origin."""
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -np.array(spacing) * (np.array(center) - 1) / 2
    return affine


def oblique(affine: np.ndarray, degrees: float = 12.0) -> np.ndarray:
    """Turn a grid about the z and then the x axis."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    about_z = np.array([[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    about_x = np.array([[1, 0, 0, 0], [0, c, -s, 0], [0, s, c, 0], [0, 0, 0, 1]])
    return about_x @ about_z @ affine


def write_array(path: Path, voxels: np.ndarray, **settings: object) -> Path:
    """Write (z, y, x) voxels with SimpleITK; ``settings`` name its setters, e.g. ``Spacing=(1, 1, 2)``."""
    image = sitk.GetImageFromArray(voxels)
    for name, value in settings.items():
        getattr(image, f"Set{name}")(value)
    sitk.WriteImage(image, str(path))
    return path
