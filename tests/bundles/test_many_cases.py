"""Inference over a list of cases by ``inference.json``, as MONAI runs it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import SimpleITK as sitk

from tests.bundles.test_bundles import run, workflow
from volfuse.errors import FusionError, plain_cause
from volfuse.models import bundles


def infer(cases: Path, output: Path, **overrides: object) -> None:
    """Run the smallest bundle; errors come out of what MONAI wraps around them."""
    options = {
        "dataset_dir": str(cases),
        "output_dir": str(output),
        "device": "$torch.device('cpu')",
    } | overrides
    try:
        run(workflow(bundles()["lightfusionnet"], "infer", ["inference.json"], **options))
    except RuntimeError as error:
        raise plain_cause(error) or error from error


@pytest.fixture
def cases(tmp_path: Path, mr_file: Path, pet_file: Path) -> Path:
    """Two patients whose files are called alike, and what a Mac leaves."""
    for name in ("a", "b"):
        folder = tmp_path / "cases" / name
        folder.mkdir(parents=True)
        shutil.copy(mr_file, folder)
        shutil.copy(pet_file, folder)
        (folder / ".DS_Store").write_bytes(b"\0")
    return tmp_path / "cases"


def test_every_case_has_an_output_of_its_own_and_roles_decide(cases: Path, tmp_path: Path) -> None:
    infer(cases, tmp_path / "out", reference="mr", second="pet")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a_fused.nii.gz", "b_fused.nii.gz"]
    size = sitk.ReadImage(str(cases / "a" / "pet.nii.gz")).GetSize()
    infer(cases, tmp_path / "swapped", reference="pet", second="mr")
    assert sitk.ReadImage(str(tmp_path / "swapped" / "a_fused.nii.gz")).GetSize() == size


def test_a_damaged_case_is_reported_and_the_others_are_fused(
    cases: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    damaged = cases / "a" / "pet.nii.gz"
    damaged.write_bytes(damaged.read_bytes()[:500])
    shutil.copytree(cases / "b", cases / "c")
    (cases / "c" / "pet.nii.gz").unlink()
    with pytest.raises(FusionError, match="^2 of 3 cases could not be fused: a, c; the log says why.$"):
        infer(cases, tmp_path / "out", reference="mr", second="pet")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["b_fused.nii.gz"]
    shutil.rmtree(cases / "c")
    with pytest.raises(FusionError, match=r"^1 of 2 cases could not be fused, a: pet\.nii\.gz "):
        infer(cases, tmp_path / "out", reference="mr", second="pet")


def test_a_misspelt_option_is_refused(cases: Path, tmp_path: Path) -> None:
    with pytest.raises(FusionError, match=r"^There is no option 'referense'; near it are: reference\.$"):
        infer(cases, tmp_path / "out", referense="mr")


@pytest.mark.slow
def test_the_command_ends_with_the_sentence_alone(cases: Path, tmp_path: Path) -> None:
    (cases / "b" / "pet.nii.gz").write_bytes(b"\0" * 400)
    root = bundles()["lightfusionnet"].root
    command = [sys.executable, "-W", "ignore", "-m", "monai.bundle", "run", "--bundle_root", str(root)]
    options = {
        "config_file": str(root / "configs" / "inference.json"),
        "dataset_dir": str(cases),
        "output_dir": str(tmp_path / "out"),
        "reference": "mr",
        "second": "pet",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    done = subprocess.run([*command, *words], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("Error: 1 of 2 cases could not be fused, b: pet.nii.gz ")
    assert "Traceback" not in done.stdout + done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a_fused.nii.gz"]
