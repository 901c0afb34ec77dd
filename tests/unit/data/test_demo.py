from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from typer.testing import CliRunner

from tests.files import write_templates
from volfuse.cli import app
from volfuse.data import demo
from volfuse.errors import FusionError


@pytest.fixture
def templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """A small head in place of the MNI152 files, where the cache is."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_templates(tmp_path / "cache")
    return demo.template_files()


def test_the_simulated_pet_shows_tissue_and_lesions(templates: dict[str, Path]) -> None:
    grey, white = (sitk.ReadImage(str(templates[key]), sitk.sitkFloat32) for key in ("grey", "white"))
    pet = demo.simulate_pet(grey, white)
    assert pet.GetSpacing() == (4.0, 4.0, 4.0)

    def counts(x: float, y: float, z: float) -> float:
        """Mean of the 2x2x2 voxels around a point in MNI coordinates."""
        corner = np.floor(pet.TransformPhysicalPointToContinuousIndex((-x, -y, z))).astype(int)
        block = sitk.GetArrayFromImage(pet)[tuple(slice(i, i + 2) for i in corner[::-1])]
        return block.mean()

    unit = demo._COUNTS_PER_UPTAKE
    assert counts(0, -30, -20) == pytest.approx(1 * unit, rel=0.15)  # deep in white matter
    assert counts(34, 22, 26) > 5 * unit  # the hot lesion, smeared
    assert counts(-46, -38, 20) < 1.2 * unit  # the cold one
    assert counts(69, 89, 74) < 0.2 * unit  # air


def test_the_noise_is_reproducible(templates: dict[str, Path]) -> None:
    grey, white = (sitk.ReadImage(str(templates[key]), sitk.sitkFloat32) for key in ("grey", "white"))
    first, again, other = (sitk.GetArrayFromImage(demo.simulate_pet(grey, white, seed)) for seed in (0, 0, 1))
    assert (first == again).all() and (first != other).any()


def test_the_demo_writes_volumes_and_a_picture(templates: dict[str, Path], tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["demo", "-o", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "t1.nii.gz",
        "simulated_pet.nii.gz",
        "fused.nii.gz",
        "demo.png",
    }
    fused = nibabel.load(tmp_path / "out" / "fused.nii.gz")
    assert fused.shape == (50, 62, 50) and fused.header["datatype"] == 128
    picture = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "out" / "demo.png")))[..., :3].astype(int)
    source_a, source_b, overlay, fusion = np.array_split(picture, 4, axis=1)
    color = [np.ptp(panel, axis=-1).mean() for panel in (source_a, source_b, overlay, fusion)]
    assert color[0] < 1 and min(color[1:]) > 5
    assert all(panel.max() > 150 for panel in (source_a, source_b, overlay, fusion))


def test_without_a_network_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setattr(demo, "find_spec", lambda name: None)
    with pytest.raises(
        FusionError, match=r"^The demonstration images could not be fetched; go online, or install"
    ):
        demo.template_files()
    assert not list(tmp_path.iterdir())
