"""``volfuse info`` on phantoms whose position to each other is known."""

import json
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
from typer.testing import CliRunner, Result

from tests.conftest import grid, write_array
from tests.files import write_series
from volfuse.cli import app

SHAPE = (48, 56, 40)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(
        app, ["info", *(str(argument) for argument in arguments)], env={"COLUMNS": "200"}
    )


def shifted(save_head: Callable[..., Path], name: str, millimetres: float) -> Path:
    """A head in a file whose header puts it elsewhere."""
    file = save_head(name, "mr", SHAPE, grid(4.0, 4.0, 4.0, center=SHAPE))
    image = nibabel.load(file)
    affine = image.affine.copy()
    affine[:2, 3] += millimetres / np.sqrt(2)
    nibabel.save(nibabel.Nifti1Image(np.array(image.dataobj), affine), file)
    return file


def test_one_image_is_shown_as_it_would_be_read(mr_file: Path) -> None:
    result = run(mr_file)
    assert result.exit_code == 0 and result.stderr == ""
    for fact in ("mr.nii.gz", "NIfTI", "40 x 48 x 20", "4 x 4 x 8 mm", "RAS", "(uint8)", "0 to 255"):
        assert fact in result.stdout
    assert "Modality" not in result.stdout  # of which nothing is known


def test_two_images_are_compared(mr_file: Path, pet_file: Path) -> None:
    told = " ".join(run(mr_file, pet_file).stdout.split())
    assert "Part of mr.nii.gz inside pet.nii.gz │ 95%" in told
    assert "Note: pet.nii.gz is resampled onto the grid of mr.nii.gz and covers 95% of it." in told


def test_images_that_lie_on_each_other_look_registered_and_moved_ones_do_not(
    save_head: Callable[..., Path],
) -> None:
    reference = save_head("mr.nii", "mr", SHAPE, grid(4.0, 4.0, 4.0, center=SHAPE))
    other = save_head("t2.nii", "t2", SHAPE, grid(4.0, 4.0, 4.0, center=SHAPE))
    pair = json.loads(run(reference, other, "--json").stdout)["pair"]
    assert pair["verdict"]["registered"] is True and pair["verdict"]["distance"] < 1
    assert pair["relation"]["same_grid"] is True and pair["relation"]["same_frame"] is None
    moved = json.loads(run(reference, shifted(save_head, "moved.nii", 15.0), "--json").stdout)["pair"][
        "verdict"
    ]
    assert moved["registered"] is False and abs(moved["distance"] - 15) < 1
    assert moved["sentence"].startswith(
        "They do not look registered: a coarse registration moves moved.nii by 1"
    )
    assert moved["sentence"].endswith("to what they share; register them first.")


def test_json_is_one_document_with_every_path(mr_file: Path, tmp_path: Path) -> None:
    result = run(mr_file, tmp_path / "no.nii", "--json")
    report = json.loads(result.stdout)
    first, second = report["images"]
    assert (
        first["summary"]["size"] == [40, 48, 20]
        and first["summary"]["axes"] == "RAS"
        and first["error"] == ""
    )
    assert second["summary"] is None and report["pair"] is None
    assert second["error"] == f"{tmp_path / 'no.nii'} does not exist; check the path."
    assert result.exit_code == 2 and result.stderr == f"Error: {second['error']}\n"


def test_a_path_that_cannot_be_read_does_not_hide_the_others(mr_file: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.nii.gz").write_text("this is no image")
    result = run(tmp_path / "bad.nii.gz", mr_file)
    assert result.exit_code == 2 and "40 x 48 x 20" in result.stdout
    assert result.stderr.startswith("Error: bad.nii.gz ") and result.stderr.count("\n") == 1


def test_images_that_cannot_be_fused_are_told(mr_file: Path, tmp_path: Path) -> None:
    values = np.arange(8000, dtype=np.float32).reshape(20, 20, 20)
    far = write_array(tmp_path / "far.nrrd", values, Origin=(5000.0, 0.0, 0.0))
    told = run(mr_file, far).stdout
    assert "Whether they are registered cannot be told: too little of them overlaps." in told
    assert "Note: far.nrrd and mr.nii.gz do not overlap in space; they need to be registered first." in told
    picture = write_array(tmp_path / "p.png", np.arange(600, dtype=np.uint8).reshape(20, 30))
    told = run(mr_file, picture).stdout
    assert (
        "cannot be told: p.png is a picture without a position in space; registration needs volumes." in told
    )


def test_a_folder_with_several_series_is_listed(tmp_path: Path) -> None:
    for number, slices in (("1", 9), ("2", 12)):
        voxels = np.random.default_rng(0).integers(0, 900, (slices, 16, 20)).astype(np.int16)
        write_series(tmp_path / "study", voxels, f"1.2.3.{number}")
    result = run(tmp_path / "study")
    assert result.exit_code == 2 and "Error: study holds 2 DICOM series" in result.stderr
    told = " ".join(result.stdout.split())
    assert "│ 1 │ CT │ │ │ 20 x 16 x 9 │" in told and "│ 2 │ CT │ │ │ 20 x 16 x 12 │" in told
    entry = json.loads(run(tmp_path / "study", "--json").stdout)["images"][0]
    assert [each["number"] for each in entry["series"]] == [1, 2] and entry["summary"] is None
    chosen = run(tmp_path / "study", "--series", "2")
    assert chosen.exit_code == 0 and "20 x 16 x 12" in chosen.stdout


def test_nothing_is_written(mr_file: Path, pet_file: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    run(mr_file, pet_file)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
