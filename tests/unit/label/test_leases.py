import os
import time
from pathlib import Path

from volfuse.label.leases import SECONDS, Leases

CASES = ["a", "b", "c"]


def first_free(with_others: set[str]) -> str | None:
    return next((case for case in CASES if case not in with_others), None)


def age(folder: Path, case: str, seconds: float) -> None:
    os.utime(folder / f"{case}.json", (time.time() - seconds,) * 2)


def test_readers_get_different_cases_and_each_the_same_again(tmp_path: Path) -> None:
    assert [Leases(tmp_path).take(reader, first_free) for reader in "xyzw"] == ["a", "b", "c", None]
    assert Leases(tmp_path).take("y", first_free) == "b"  # another object: what a restart does


def test_a_reader_has_one_case_at_a_time(tmp_path: Path) -> None:
    leases = Leases(tmp_path)
    leases.take("x", first_free)
    leases.take("x", lambda _: "c")
    assert leases.holders() == {"c": "x"}


def test_a_lease_ends_in_time_unless_it_is_touched(tmp_path: Path) -> None:
    leases = Leases(tmp_path)
    leases.take("x", first_free)
    age(tmp_path, "a", SECONDS - 5)
    leases.renew("a", "y")  # not hers
    assert time.time() - (tmp_path / "a.json").stat().st_mtime > SECONDS - 10
    leases.renew("a", "x")
    assert time.time() - (tmp_path / "a.json").stat().st_mtime < 5
    age(tmp_path, "a", SECONDS + 5)
    leases.renew("a", None)  # too late
    assert leases.holders() == {} and leases.take("y", first_free) == "a"


def test_a_clock_that_was_set_back_keeps_no_case_for_ever(tmp_path: Path) -> None:
    leases = Leases(tmp_path)
    leases.take("x", first_free)
    age(tmp_path, "a", -3 * SECONDS)
    assert leases.holders() == {}


def test_only_its_reader_ends_a_lease_and_a_damaged_one_keeps_nobody_out(tmp_path: Path) -> None:
    leases = Leases(tmp_path)
    leases.take("x", first_free)
    leases.end("a", "y")
    assert leases.holders() == {"a": "x"}
    leases.end("a", "x")
    assert leases.holders() == {}
    (tmp_path / "b.json").write_text("{")
    assert leases.holders() == {}
