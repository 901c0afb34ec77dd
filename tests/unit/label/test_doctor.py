"""Every damaged file of a server's folder is named, and nothing is changed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.conftest import grid
from volfuse.cli import app
from volfuse.label.layout import Layout
from volfuse.label.verdicts import Judgement, VerdictStore

pytest.importorskip("filelock", reason="the extra label is not installed")
SHAPE = (8, 9, 4)


@pytest.fixture
def studies(tmp_path: Path, save_head: Callable[..., Path]) -> Path:
    for case in ("a", "b"):
        for contrast in ("mr", "pet"):
            save_head(f"{case}_{contrast}.nii.gz", contrast, SHAPE, grid(20.0, 20.0, 40.0, center=SHAPE))
    return tmp_path


def doctor(studies: Path, *options: str) -> tuple[int, list[str]]:
    result = CliRunner().invoke(app, ["serve", "--studies", str(studies), "--doctor", *options])
    return result.exit_code, result.output.splitlines()


def test_a_sound_folder(studies: Path) -> None:
    before = sorted(studies.rglob("*"))
    assert doctor(studies) == (0, ["No file is damaged."])
    assert sorted(studies.rglob("*")) == before


def test_every_damaged_file_is_named_once(studies: Path) -> None:
    layout, scan = Layout(studies), studies / "b_pet.nii.gz"
    scan.write_bytes(scan.read_bytes()[:30])
    store = VerdictStore(layout.verdicts)
    store.add("a", Judgement("accept", "average"), ".nii.gz", lambda path: path.write_bytes(b"no image"))
    kept = store.add("a", Judgement("accept", "average"), ".nii.gz", lambda path: path.touch())
    (layout.verdicts / "a" / kept.image).unlink()
    (layout.verdicts / "a" / "0003.json").write_text("{")
    for damaged in (layout.scores / "a.json", layout.rounds / "0001.json", layout.hold_out):
        damaged.parent.mkdir(exist_ok=True)
        damaged.write_text("[")
    (layout.scores / "linked.json").symlink_to(scan)
    code, lines = doctor(studies)
    named = [
        "b_pet.nii.gz",
        "linked.json",
        "0003.json",
        store.of("a")[0].image,
        kept.image,
        "rounds/0001.json",
        "scores/a.json",
        "hold_out.json",
    ]
    assert code == 1 and lines[-1] == f"Damaged: {len(lines) - 1}."
    for name in named:
        assert [line for line in lines if name in line], (name, lines)
    assert all(any(name in line for name in named) for line in lines[:-1]), lines


def test_scans_are_read_to_their_end_if_asked(studies: Path) -> None:
    """A gzip file that is cut has a whole header."""
    scan = studies / "b_mr.nii.gz"
    scan.write_bytes(scan.read_bytes()[:-40])
    assert doctor(studies)[0] == 0
    code, lines = doctor(studies, "--decode")
    assert code == 1 and lines[0].startswith("b_mr.nii.gz could not be read as an image")
