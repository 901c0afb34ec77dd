import re
import sys
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from typer.testing import CliRunner, Result

from tests.conftest import grid
from tests.dicom_objects import write_slices
from volfuse.cli import app
from volfuse.data.displaced import DisplacedPair, displaced_pair
from volfuse.imaging.files import write_image


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def save(folder: Path, pair: DisplacedPair) -> tuple[Path, Path]:
    return write_image(pair.reference, folder / "mr.nii.gz"), write_image(pair.second, folder / "t2.nii.gz")


def save_points(folder: Path, pair: DisplacedPair) -> tuple[Path, Path]:
    files = folder / "reference.csv", folder / "second.csv"
    for file, points in zip(files, (pair.targets, pair.moved), strict=True):
        np.savetxt(file, points[:6], delimiter=",", header="x,y,z", comments="")
    return files


def test_register_writes_the_second_volume_on_the_grid_of_the_reference(tmp_path: Path) -> None:
    pair = displaced_pair(0, spacing=4.0)
    reference, second = save(tmp_path, pair)
    result = run(
        "register",
        reference,
        second,
        "-o",
        tmp_path / "out.nii.gz",
        "--landmarks",
        *save_points(tmp_path, pair),
    )
    assert result.exit_code == 0, result.output
    assert f"Registered volume: {tmp_path / 'out.nii.gz'}" in result.output
    assert "Landmarks: 0.00 mm" in result.output
    reference, out = nibabel.load(reference), nibabel.load(tmp_path / "out.nii.gz")
    assert out.shape == reference.shape and out.get_data_dtype() == np.uint8
    np.testing.assert_allclose(out.affine, reference.affine, atol=1e-6)
    tissue = np.asarray(reference.dataobj) > 200  # white matter, 0.4 of 255 in T2
    assert np.median(np.asarray(out.dataobj)[tissue]) == pytest.approx(0.4 * 255, abs=6)


def test_an_unknown_stage_is_refused(tmp_path: Path) -> None:
    reference, second = save(tmp_path, displaced_pair(0, spacing=8.0))
    result = run("register", reference, second, "-o", tmp_path / "out.nii.gz", "--stages", "rigid, bend")
    assert result.exit_code == 2
    assert result.stderr == "Error: 'bend' is no stage of a registration; use rigid, affine, syn.\n"
    assert not (tmp_path / "out.nii.gz").exists()


def test_fusing_a_displaced_pair_equals_fusing_it_where_it_lay(tmp_path: Path) -> None:
    """Against the same scan resampled by the known motion; unregistered, the fused head has two skulls."""
    pytest.importorskip("ants")
    pair = displaced_pair(0, spacing=4.0)
    reference, second = save(tmp_path, pair)
    run(
        "register",
        reference,
        second,
        "-o",
        tmp_path / "known.nii.gz",
        "--landmarks",
        *save_points(tmp_path, pair),
    )
    fused = {}
    for name, other, options in (
        ("apart", second, []), ("registered", second, ["--register"]), ("known", tmp_path / "known.nii.gz", []),
    ):  # fmt: skip
        output = tmp_path / f"fused_{name}.nii.gz"
        result = run("fuse", reference, other, "-o", output, "--model", "maximum", *options)
        assert result.exit_code == 0, result.output
        image = nibabel.load(output)
        np.testing.assert_allclose(image.affine, nibabel.load(reference).affine, atol=1e-6)
        fused[name] = np.asarray(image.dataobj).astype(float) / 255
    assert np.abs(fused["registered"] - fused["known"]).mean() < 0.01
    assert np.abs(fused["apart"] - fused["known"]).mean() > 0.03
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".gz") == [
        "fused_apart.nii.gz", "fused_known.nii.gz", "fused_registered.nii.gz",
        "known.nii.gz", "mr.nii.gz", "t2.nii.gz",
    ]  # fmt: skip


@pytest.mark.parametrize("command", ["register", "fuse"])
def test_two_heads_are_refused_and_nothing_is_written(tmp_path: Path, command: str) -> None:
    pytest.importorskip("ants")
    reference, second = save(tmp_path, displaced_pair(0, subject=1000, spacing=4.0))
    options = ["--register", "--model", "maximum"] if command == "fuse" else []
    result = run(command, reference, second, "-o", tmp_path / "out.nii.gz", *options)
    assert result.exit_code == 2
    assert re.fullmatch(
        r"Error: t2\.nii\.gz may not fit mr\.nii\.gz after registration: bending it would add \d\d% to their "
        r"mutual information; check that both show the same part of the same patient, and if they do, the stage "
        r"syn or landmarks may help\.\n",
        result.stderr,
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mr.nii.gz", "t2.nii.gz"]


def test_register_says_how_alike_the_volumes_are_before_and_after(tmp_path: Path) -> None:
    pytest.importorskip("ants")
    reference, second = save(tmp_path, displaced_pair(3, spacing=5.0))
    result = run("register", reference, second, "-o", tmp_path / "out.nii.gz", "--stages", "rigid")
    assert result.exit_code == 0, result.output
    rows = {name: [float(value) for value in re.findall(r"-?\d\.\d{3}", line)]
            for line in result.stdout.splitlines() for name in ("before", "after") if name in line}  # fmt: skip
    assert (
        len(rows["before"]) == 4
        and rows["after"][2] > rows["before"][2]
        and rows["after"][3] > rows["before"][3]
    )
    assert re.search(
        r"Mutual information that bending would add: -?\d\.\d% \(above 10% is suspicious\)", result.stdout
    )
    assert result.stderr == ""


def test_a_mirrored_scan_is_told(tmp_path: Path) -> None:
    pytest.importorskip("ants")
    pair = displaced_pair(3, spacing=5.0)
    flipped = MetaTensor(torch.flip(pair.second.as_tensor(), [1]), meta=pair.second.meta)
    reference, second = save(tmp_path, replace(pair, second=flipped))
    result = run("register", reference, second, "-o", tmp_path / "out.nii.gz", "--stages", "rigid")
    assert (
        "Note: t2.nii.gz fits mr.nii.gz as well or better when its left and right are exchanged; "
        "one of the two may be mirrored: check the sides.\n"
    ) in result.stderr


def test_landmarks_that_make_it_worse_get_a_warning_and_the_volume(tmp_path: Path) -> None:
    """Who marks the points has the last word."""
    pair = displaced_pair(0, spacing=4.0)
    reference, again = (
        write_image(pair.reference, tmp_path / name) for name in ("mr.nii.gz", "again.nii.gz")
    )
    wrong = replace(pair, moved=pair.targets + np.array([0, 40.0, 0]))
    points = save_points(tmp_path, wrong)
    result = run("register", reference, again, "-o", tmp_path / "out.nii.gz", "--landmarks", *points)
    assert result.exit_code == 0 and (tmp_path / "out.nii.gz").is_file()
    assert re.fullmatch(
        r"Warning: again\.nii\.gz may not fit mr\.nii\.gz after registration: "
        r"their mutual information fell \(NMI 2\.00 before, 1\.\d\d now\); "
        r"check that both show the same part of the same patient, and if they do, "
        r"check that the landmarks mark the same places\.\n",
        result.stderr,
    )


def test_without_ants_fuse_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ants", None)
    reference, second = save(tmp_path, displaced_pair(0, spacing=8.0))
    result = run("fuse", reference, second, "-o", tmp_path / "out.nii.gz", "--model", "maximum", "--register")
    assert result.exit_code == 2 and not (tmp_path / "out.nii.gz").exists()
    assert result.stderr.startswith(
        "Error: ANTs is missing; install it with: pip install 'volfuse[registration]'"
    )


def test_bad_outputs_are_refused_before_any_work(tmp_path: Path) -> None:
    image = MetaTensor(
        torch.arange(4096, dtype=torch.uint8).reshape(1, 16, 16, 16),
        affine=torch.from_numpy(grid(2.0, 2.0, 2.0, center=(16, 16, 16))),
    )
    reference = write_image(image, tmp_path / "a.nii.gz")
    second = write_image(image, tmp_path / "b.nii.gz")
    for output, sentence in (
        (tmp_path / "out.png", "out.png can hold one slice; choose .nii.gz, .nii, .nrrd or .mha."),
        (second, f"{second} is one of the sources; choose another output."),
        (tmp_path / "no" / "out.nii.gz", f"The folder {tmp_path / 'no'} does not exist"),
    ):
        result = run("register", reference, second, "-o", output)
        assert result.exit_code == 2 and sentence in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.nii.gz", "b.nii.gz"]


def test_series_are_chosen_for_both_volumes(tmp_path: Path) -> None:
    folder = tmp_path / "disc"
    for number in (1, 2):
        places = [(0, 0, 4 * k) for k in range(9)]
        write_slices(folder / str(number), places, SeriesInstanceUID=f"1.{number}")
    out = tmp_path / "out.nii.gz"
    refused = run("register", folder, folder, "-o", out)
    assert refused.exit_code == 2
    assert refused.stderr.startswith("Error: disc holds 2 DICOM series: ")
    refused = run("register", folder, folder, "-o", out, "--series", "1", "--series", "3")
    assert refused.exit_code == 2
    assert "3" in refused.stderr and not out.exists()
