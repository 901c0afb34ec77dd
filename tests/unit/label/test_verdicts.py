from pathlib import Path

import pytest

from volfuse.errors import StorageError
from volfuse.label.verdicts import Judgement, VerdictStore
from volfuse.storage import PARTIAL

ACCEPTED = Judgement("accept", "average")


def test_a_verdict_appears_only_after_its_image(tmp_path: Path) -> None:
    store = VerdictStore(tmp_path)

    def fail(path: Path) -> None:
        path.write_bytes(b"half an image")
        raise OSError("no space")

    with pytest.raises(StorageError):
        store.add("a", ACCEPTED, ".nii", fail)
    assert store.of("a") == [] and store.reviewed() == set() and store.last_image("a") is None
    kept = store.add("a", ACCEPTED, ".nii", lambda path: path.write_bytes(b"image"))
    assert store.last("a") == kept and store.last_image("a").read_bytes() == b"image"


def test_half_a_verdict_of_a_killed_process_is_none(tmp_path: Path) -> None:
    store = VerdictStore(tmp_path)
    store.add("a", ACCEPTED)
    (tmp_path / "a" / f"{PARTIAL}7-20990101T000000000000-x.json").write_text("{")
    assert len(store.of("a")) == 1


def test_the_newest_verdict_counts_and_all_are_kept(tmp_path: Path) -> None:
    store = VerdictStore(tmp_path)
    for number in range(5):
        store.add("a", Judgement("accept", "average", comment=str(number)))
    assert [verdict.comment for verdict in store.of("a")] == list("01234")
    assert store.last("a").comment == "4" and [verdict.case for verdict in store] == ["a"] * 5


def test_the_chosen_model_is_the_judged_the_preferred_or_none() -> None:
    assert Judgement("accept", "a").chosen_model == "a"
    assert Judgement("prefer", "a", "b").chosen_model == "b"
    assert Judgement("reject", "a").chosen_model is None
