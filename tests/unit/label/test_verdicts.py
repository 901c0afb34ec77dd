from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import pytest

from volfuse.errors import StorageError
from volfuse.label import verdicts
from volfuse.label.verdicts import Judgement, VerdictStore
from volfuse.storage import PARTIAL

ACCEPTED = Judgement("accept", "average")
REJECTED = Judgement("reject", "average")


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


class EarlyClock(datetime):
    """A clock that was set back by a year."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        return datetime.now(tz) - timedelta(days=365)


def test_the_newest_verdict_counts_although_the_clock_was_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = VerdictStore(tmp_path)
    first = store.add("a", ACCEPTED)
    monkeypatch.setattr(verdicts, "datetime", EarlyClock)
    second = store.add("a", REJECTED)
    assert second.time < first.time and (first.number, second.number) == (1, 2)
    assert store.last("a") == second and store.of("a") == [first, second]


def test_of_each_reader_the_last_verdict_counts_and_a_skip_is_none(tmp_path: Path) -> None:
    store = VerdictStore(tmp_path)
    for judgement in (
        Judgement("accept", "average", reader="A"),
        Judgement("accept", "average", reader="B"),
        Judgement("reject", "average", reader="A"),
        Judgement("skip", reason="late", reader="A"),
        Judgement("skip", reason="late", reader="C"),
    ):
        store.add("a", judgement)
    store.add("b", Judgement("skip", reason="late", reader="C"))
    counted = {reader: verdict.verdict for reader, verdict in store.by_reader("a").items()}
    assert counted == {"A": "reject", "B": "accept"} and store.skipped_by("a") == {"A", "C"}
    assert store.last("a").verdict == "reject" and store.last("b") is None
    assert store.reviewed() == {"a"} and store.seen() == {"a", "b"}


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"verdict": "accept"}'])
def test_a_damaged_verdict_is_named_and_the_others_count(content: str, tmp_path: Path) -> None:
    store = VerdictStore(tmp_path / "fusion" / "verdicts")
    for judgement in (REJECTED, ACCEPTED, REJECTED):
        store.add("a", judgement)
    (tmp_path / "fusion" / "verdicts" / "a" / "0003.json").write_text(content)
    assert [verdict.number for verdict in store.of("a")] == [1, 2] and store.last("a").verdict == "accept"
    assert store.faults("a") == [
        "fusion/verdicts/a/0003.json is damaged; bring it back from a backup, or remove it."
    ]
    assert store.add("a", ACCEPTED).number == 4
