import random
from collections import Counter

import pytest

from volfuse.label.activelearning.strategies import STRATEGIES, CaseScores

CASES = {
    "a": CaseScores({"m": 0.5, "n": 0.7}, 0.1, (0.0, 0.0)),
    "b": CaseScores({"m": 0.2, "n": 0.4}, 0.3, (1.0, 0.0)),
    "c": CaseScores({"m": 0.9, "n": 0.1}, 0.2, (5.0, 0.0)),
}


def choose(name: str, cases: dict[str, CaseScores] = CASES, reviewed: tuple[CaseScores, ...] = ()) -> str:
    return STRATEGIES[name](cases, reviewed, random.Random(0)).case


def test_each_strategy_takes_the_case_it_promises() -> None:
    assert choose("lowest_quality") == "b"
    assert choose("highest_disagreement") == "b"
    assert choose("diversity") == "b"  # the most typical before the first review: nearest to (2, 0)
    assert choose("diversity", reviewed=(CASES["a"],)) == "c"


def test_random_is_fair() -> None:
    chance = random.Random(0)
    counts = Counter(STRATEGIES["random"](CASES, (), chance).case for _ in range(600))
    assert all(150 < counts[name] < 250 for name in CASES)


@pytest.mark.parametrize("name", ["lowest_quality", "highest_disagreement", "diversity"])
def test_without_scores_chance_decides_and_says_so(name: str) -> None:
    choice = STRATEGIES[name]({"x": CaseScores(), "y": CaseScores()}, (), random.Random(0))
    assert choice.case in ("x", "y") and "run the scoring first" in choice.reason


def test_cases_without_a_score_wait() -> None:
    assert choose("lowest_quality", {**CASES, "d": CaseScores()}) == "b"
