import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from typer.testing import CliRunner, Result

from tests.conftest import grid, write_array
from volfuse.cli import app


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_fuse_writes_the_fused_volume(mr_file: Path, pet_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "fused.nii.gz"
    result = run(
        "fuse", mr_file, pet_file, "-o", output, "--window", "auto", "--window", "pet", "--colormap", "hot"
    )
    assert result.exit_code == 0, result.output
    assert str(output) in result.output
    reference, fused = nibabel.load(mr_file), nibabel.load(output)
    assert fused.shape == reference.shape and fused.header["datatype"] == 128
    np.testing.assert_allclose(fused.affine, reference.affine, atol=1e-6)


def test_what_the_user_should_know_is_shown_without_asking(
    mr_file: Path, tmp_path: Path, save_head: Callable[..., Path]
) -> None:
    affine = grid(4.0, 4.0, 8.0, center=(40, 48, 20))
    affine[2, 3] += 100.0  # of 160 mm
    second = save_head("high.nii.gz", "mr", (40, 48, 20), affine)
    result = run("fuse", mr_file, second, "-o", tmp_path / "fused.nii.gz", "--model", "average")
    assert result.exit_code == 0
    assert result.stderr == (
        "Note: high.nii.gz is resampled onto the grid of mr.nii.gz and covers 40% of it.\n"
        "Note: high.nii.gz and mr.nii.gz overlap little (40% of the first, 40% of the second); check their "
        "positions, or register them first.\n"
    )


@pytest.mark.parametrize("suffix", ["nii", "nrrd", "mha"])
def test_every_format_holds_the_same_voxels(
    mr_file: Path, pet_file: Path, tmp_path: Path, suffix: str
) -> None:
    for path in (tmp_path / "a.nii.gz", tmp_path / f"a.{suffix}"):
        assert run("fuse", mr_file, pet_file, "-o", path).exit_code == 0
    first, second = (sitk.ReadImage(str(tmp_path / name)) for name in ("a.nii.gz", f"a.{suffix}"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(first), sitk.GetArrayFromImage(second))
    np.testing.assert_allclose(first.GetDirection(), second.GetDirection(), atol=1e-6)


def far_away(folder: Path) -> Path:
    return write_array(folder / "far.nrrd", gradient(), Origin=(5000.0, 0.0, 0.0))


def gradient(shape: tuple[int, ...] = (8, 9, 10)) -> np.ndarray:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def with_nan() -> np.ndarray:
    values = gradient()
    values[0, 0, 0] = np.nan
    return values


def save_4d(folder: Path) -> Path:
    nibabel.save(nibabel.Nifti1Image(gradient((3, 4, 5, 6)), np.eye(4)), folder / "4d.nii.gz")
    return folder / "4d.nii.gz"


# What makes the second source, the output, further options, and how the sentence goes.
BAD_INPUT: dict[str, tuple[Callable[[Path], Path], str, list[str], str]] = {
    "missing file": (lambda f: f / "no.nii.gz", "out.nii.gz", [], "no.nii.gz does not exist; check the path."),
    "NaN": (lambda f: write_array(f / "nan.nrrd", with_nan()), "out.nii.gz", [], "nan.nrrd holds 1 NaN or infinite"),
    "constant": (lambda f: write_array(f / "c.mha", gradient() * 0), "out.nii.gz", [], "c.mha has the value 0 every"),
    "no overlap": (far_away, "out.nii.gz", [], "far.nrrd and mr.nii.gz do not overlap in space"),
    "4-D": (save_4d, "out.nii.gz", [], "4d.nii.gz is 4-D (6 volumes in one file)"),
    "label map": (
        lambda f: write_array(f / "l.nrrd", (gradient() // 200).astype(np.uint8)),
        "out.nii.gz",
        [],
        "l.nrrd has only 4 different values, all whole numbers, and looks like a label map",
    ),
    "damaged file": (
        lambda f: Path(write_text(f / "bad.nii.gz")), "out.nii.gz", [], "bad.nii.gz could not be read as an image"
    ),
    "empty folder": (lambda f: f, "out.nii.gz", [], "holds no DICOM series; choose another."),
    "unknown output": (far_away, "out.docx", [], "'out.docx' names no format to write"),
    "missing folder": (far_away, "no/out.nii", [], "does not exist; create it or choose another output."),
    "output is a source": (far_away, "mr.nii.gz", [], "mr.nii.gz is one of the sources"),
    "unknown model": (far_away, "out.nii.gz", ["--model", "x"], "There is no model 'x'"),
    "unknown window": (far_away, "out.nii.gz", ["--window", "x"], "'x' is no intensity window"),
    "unknown colours": (far_away, "out.nii.gz", ["--colormap", "x"], "There is no colour map 'x'"),
    "no GPU": (far_away, "out.nii.gz", ["--device", "cuda:77"], "The device 'cuda:77' is not available here"),
    "no such batch": (far_away, "out.nii.gz", ["--batch-size", "-1"], "must be a whole number from 0 to 512, not -1."),
    "three sources": (far_away, "out.nii.gz", ["EXTRA"], "unionnet fuses 2 images, but 3 are given."),
}  # fmt: skip


def write_text(path: Path) -> Path:
    path.write_text("this is no image")
    return path


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_gives_one_sentence_and_no_file(
    case: str, tmp_path: Path, save_head: Callable[..., Path]
) -> None:
    make, output, options, sentence = BAD_INPUT[case]
    reference = save_head("mr.nii.gz", "mr", (20, 24, 6), grid(8.0, 8.0, 20.0, center=(20, 24, 6)))
    second = make(tmp_path)
    extra = [str(reference) if option == "EXTRA" else option for option in options]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    result = run("fuse", reference, second, "-o", tmp_path / output, *extra)
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ") and sentence in result.stderr
    assert result.stderr.count("\n") == 1 and "Traceback" not in result.output
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_models_lists_the_catalogue() -> None:
    result = run("models")
    assert result.exit_code == 0 and "lightfusionnet" in result.output


def test_help_says_that_it_is_no_medical_device() -> None:
    assert "Not a medical device" in " ".join(run("--help").output.split())


def test_the_command_is_quiet_but_for_its_result(mr_file: Path, tmp_path: Path) -> None:
    """A real process: warnings of libraries must not reach the user."""
    command = [sys.executable, "-m", "volfuse", "fuse", mr_file, mr_file, "-o", tmp_path / "fused.nrrd"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"Fused image: {tmp_path / 'fused.nrrd'}\n", "")
