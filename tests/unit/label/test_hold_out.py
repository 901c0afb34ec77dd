from pathlib import Path

import pytest

from volfuse.label.errors import Damaged
from volfuse.label.hold_out import hold_out


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


@pytest.mark.parametrize("content", ["{}", "[[1]]", '["a"'])
def test_a_damaged_list_is_not_drawn_anew(content: str, tmp_path: Path) -> None:
    """Cases that were trained on could be drawn."""
    file = tmp_path / "hold_out.json"
    file.write_text(content)
    with pytest.raises(Damaged, match="hold_out.json is damaged"):
        hold_out(file, ["a", "b"], ())
    assert file.read_text(encoding="utf-8") == content
