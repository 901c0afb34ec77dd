"""Textbook examples, worked by hand."""

import pytest

from volfuse.label.agreement import COHEN, FLEISS, Agreement, agreement

FIRST, SECOND = "aaabbbcaab", "aabbbacaab"


def test_two_readers_have_cohen_s_kappa() -> None:
    """Both say a 5, b 4 and c 1 times, and agree on 8 of 10: chance 0.42. scikit-learn says the same."""
    found = agreement({"A": one, "B": other} for one, other in zip(FIRST, SECOND, strict=True))
    assert found.kappa == pytest.approx(0.38 / 0.58)
    assert found.observed == pytest.approx(0.8) and found.convention == COHEN
    assert (found.readers, found.items, found.answers) == (("A", "B"), 10, 20)


def test_more_readers_have_fleiss_kappa() -> None:
    """Fleiss 1971 as Wikipedia works it out: 10 subjects, 14 raters, 5 categories, kappa 0.210."""
    table = """0 0 0 0 14
0 2 6 4 2
0 0 3 5 6
0 3 9 2 0
2 2 8 1 1
7 7 0 0 0
3 2 6 3 0
2 5 3 2 2
6 5 2 1 0
0 2 2 3 7"""
    said = []
    for line in table.splitlines():
        categories = [str(index) for index, count in enumerate(map(int, line.split())) for _ in range(count)]
        said.append(dict(zip(map(str, range(14)), categories, strict=True)))
    found = agreement(said)
    assert found.kappa == pytest.approx(0.2099, abs=1e-4) and found.observed == pytest.approx(0.378, abs=1e-3)
    assert found.convention == FLEISS and (found.items, found.answers) == (10, 140)


def test_items_of_one_reader_and_readers_who_always_say_the_same_tell_nothing() -> None:
    assert agreement([{"A": "x"}, {}]) == Agreement((), 0, 0, None, None, COHEN)
    found = agreement([{"A": "x", "B": "x"}] * 3)
    assert found.observed == 1 and found.kappa is None


def test_items_may_have_different_numbers_of_readers() -> None:
    """By hand: observed (1 + 1/3) / 2, chance (4/5)^2 + (1/5)^2."""
    found = agreement([{"A": "x", "B": "x"}, {"A": "x", "B": "x", "C": "y"}, {"C": "y"}])
    assert found.kappa == pytest.approx((2 / 3 - 0.68) / 0.32) and found.items == 2
