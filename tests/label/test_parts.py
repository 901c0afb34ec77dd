"""Parts of the app that need no server and no MONAI Label."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from volfuse.cli import app
from volfuse.label import serving
from volfuse.label.cases import find_cases
from volfuse.label.hold_out import hold_out
from volfuse.label.rounds import Rounds
from volfuse.label.verdicts import VerdictStore
from volfuse.storage import PARTIAL

WORDS = {
    "verdict": "accept",
    "model": "average",
    "preferred_model": None,
    "rating": None,
    "comment": "",
    "reader": "",
}


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).touch()


def test_a_case_is_two_files_that_differ_in_their_ending(tmp_path: Path) -> None:
    touch(tmp_path, "b_mr.nii.gz", "b_pet.nrrd", "a_1_mr.png", "a_1_pet.png", "lone_mr.nii.gz", "x_ct.nii")
    touch(
        tmp_path,
        "notes_mr.txt",
        "b c_mr.nii",
        "b c_pet.nii",
        "_mr.nii",
        "_pet.nii",
        ".d_mr.nii",
        ".d_pet.nii",
    )
    cases = find_cases(tmp_path, ("mr", "pet"))
    assert list(cases) == ["a_1", "b"]
    assert [path.name for path in cases["b"].files] == ["b_mr.nii.gz", "b_pet.nrrd"]
    assert [path.name for path in find_cases(tmp_path, ("pet", "mr"))["b"].files] == [
        "b_pet.nrrd",
        "b_mr.nii.gz",
    ]


def test_held_out_cases_stay_held_out_and_grow_with_the_folder(tmp_path: Path) -> None:
    file = tmp_path / "hold_out.json"
    cases = [f"c{number}" for number in range(10)]
    first = hold_out(file, cases, ())
    assert len(first) == 2 and hold_out(file, cases, cases) == first
    more = [*cases, *(f"d{number}" for number in range(10))]
    second = hold_out(file, more, ())
    assert first < second and len(second) == 4
    assert hold_out(file, more[:10], ()) == first  # cases that are gone count no more
    assert hold_out(tmp_path / "other.json", ["only"], ()) == set()


def test_no_reviewed_case_is_ever_drawn(tmp_path: Path) -> None:
    cases = [f"c{number}" for number in range(10)]
    assert hold_out(tmp_path / "a.json", cases, cases[:9]) == {"c9"}
    assert hold_out(tmp_path / "b.json", cases, cases) == set()


def test_a_verdict_appears_only_after_its_image(tmp_path: Path) -> None:
    store = VerdictStore(tmp_path)

    def fail(path: Path) -> None:
        path.write_bytes(b"half an image")
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        store.add("a", WORDS, ".nii", fail)
    assert store.of("a") == [] and store.reviewed() == set() and store.last_image("a") is None
    kept = store.add("a", WORDS, ".nii", lambda path: path.write_bytes(b"image"))
    assert store.last("a") == kept and store.last_image("a").read_bytes() == b"image"


def test_half_a_verdict_of_a_killed_process_is_none(tmp_path: Path) -> None:
    store = VerdictStore(tmp_path)
    store.add("a", WORDS)
    (tmp_path / "a" / f"{PARTIAL}7-20990101T000000000000-x.json").write_text("{")
    assert len(store.of("a")) == 1


def test_the_newest_verdict_counts_and_all_are_kept(tmp_path: Path) -> None:
    store = VerdictStore(tmp_path)
    for number in range(5):
        store.add("a", WORDS | {"comment": str(number)})
    assert [verdict.comment for verdict in store.of("a")] == list("01234")
    assert store.last("a").comment == "4" and [verdict.case for verdict in store] == ["a"] * 5


def test_a_round_that_was_killed_is_closed_by_what_its_metadata_say(tmp_path: Path) -> None:
    rounds, models = Rounds(tmp_path / "rounds"), tmp_path / "models"
    for number in (1, 2):
        assert rounds.next_number() == number
        rounds.begin({"round": number, "bundle": "net", "weights_file": f"model_round{number}.pt"})
    (models / "net" / "configs").mkdir(parents=True)
    (models / "net" / "configs" / "metadata.json").write_text(
        json.dumps({"weights": {"model_round1.pt": {}}})
    )
    with rounds.alone():
        assert rounds.is_busy
        rounds.repair_if_idle(models)  # another process is training
    assert not rounds.is_busy
    assert [record["state"] for record in rounds.all()] == ["running", "running"]
    rounds.repair_if_idle(models)
    assert [(record["state"], record.get("published_as")) for record in rounds.all()] == [
        ("published", "net-round1"),
        ("interrupted", None),
    ]
    assert rounds.next_number() == 3


def serve(*options: object, **environment: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["serve", "--studies", *map(str, options)], env=environment)
    return result.exit_code, result.stderr


def test_without_the_extra_serve_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "find_spec", lambda name: None)
    code, error = serve(tmp_path)
    assert code == 2 and "pip install 'volfuse[label]'" in error and error.count("\n") == 1


def test_serve_says_what_is_wrong_with_its_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "find_spec", lambda name: object())
    touch(tmp_path, "a_mr.nii", "a_pet.nii")
    for options, sentence in (
        ((tmp_path / "none",), "There is no folder"),
        ((tmp_path, "--modalities", "mr"), "'mr' is no pair of endings"),
        ((tmp_path, "--modalities", "../x,pet"), "is no pair of endings"),
        ((tmp_path, "--modalities", "ct,mr"), "holds no case; put pairs such as patient7_ct.nii.gz"),
    ):
        code, error = serve(*options)
        assert code == 2 and sentence in error
    code, error = serve(tmp_path, VOLFUSE_TOKEN="short")
    assert code == 2 and "VOLFUSE_TOKEN must be 16 or more" in error


def test_only_loopback_addresses_are_called_so() -> None:
    assert all(map(serving.is_loopback, ("127.0.0.1", "localhost", "::1", "127.8.8.8")))
    assert not any(map(serving.is_loopback, ("0.0.0.0", "192.168.0.1", "::", "host.example")))
