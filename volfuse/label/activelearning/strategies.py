"""Which case a reader should judge next: every strategy chooses one of the open cases."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class CaseScores:
    """What is known of one case.

    Attributes:
        quality: per model, higher is better; empty if it was not measured.
        disagreement: of the models; ``None`` if it was not measured.
        appearance: a description as numbers; empty if there is none.
    """

    quality: Mapping[str, float] = field(default_factory=dict)
    disagreement: float | None = None
    appearance: Sequence[float] = ()


@dataclass(frozen=True)
class Choice:
    """A case with the reason why it comes next, in words for the reader."""

    case: str
    reason: str


Strategy = Callable[[Mapping[str, CaseScores], Sequence[CaseScores], random.Random], Choice]
"""``strategy(open cases by name, reviewed cases, chance) -> choice``; there is at least one open case."""


def at_random(
    open_cases: Mapping[str, CaseScores], _reviewed: Sequence[CaseScores], chance: random.Random
) -> Choice:
    """Every open case is equally likely; the baseline of all other strategies."""
    return Choice(chance.choice(sorted(open_cases)), "chosen at random")


def lowest_quality(
    open_cases: Mapping[str, CaseScores], reviewed: Sequence[CaseScores], chance: random.Random
) -> Choice:
    """First the case that the models fuse worst, by the mean of their qualities."""
    means = {
        name: sum(scores.quality.values()) / len(scores.quality)
        for name, scores in open_cases.items()
        if scores.quality
    }
    if not means:
        return _unscored(open_cases, reviewed, chance)
    worst = min(sorted(means), key=means.__getitem__)
    return Choice(worst, f"lowest quality of the open cases (mean Q^AB/F {means[worst]:.3f})")


def highest_disagreement(
    open_cases: Mapping[str, CaseScores], reviewed: Sequence[CaseScores], chance: random.Random
) -> Choice:
    """First the case on which the models differ most."""
    known = {
        name: scores.disagreement for name, scores in open_cases.items() if scores.disagreement is not None
    }
    if not known:
        return _unscored(open_cases, reviewed, chance)
    most = max(sorted(known), key=known.__getitem__)
    return Choice(most, f"highest disagreement of the open cases (mean 1 - SSIM {known[most]:.3f})")


def diversity(
    open_cases: Mapping[str, CaseScores], reviewed: Sequence[CaseScores], chance: random.Random
) -> Choice:
    """First the case that looks least like all reviewed ones (greedy k-center, Sener and Savarese 2018)."""
    known = {name: scores.appearance for name, scores in open_cases.items() if scores.appearance}
    seen = [scores.appearance for scores in reviewed if scores.appearance]
    if not known:
        return _unscored(open_cases, reviewed, chance)
    names = sorted(known)
    descriptions = np.array([known[name] for name in names])
    # Before the first review there is nothing to differ from; the most typical case is a fair start.
    if not seen:
        typical = np.linalg.norm(descriptions - descriptions.mean(0), axis=1).argmin()
        return Choice(names[typical], "the most typical of the open cases")
    distances = np.linalg.norm(descriptions[:, None] - np.array(seen)[None], axis=2).min(1)
    return Choice(names[distances.argmax()], "looks least like the reviewed cases")


STRATEGIES: dict[str, Strategy] = {
    "random": at_random,
    "lowest_quality": lowest_quality,
    "highest_disagreement": highest_disagreement,
    "diversity": diversity,
}
"""Every strategy by name."""


def _unscored(
    open_cases: Mapping[str, CaseScores], reviewed: Sequence[CaseScores], chance: random.Random
) -> Choice:
    choice = at_random(open_cases, reviewed, chance)
    return Choice(choice.case, "chosen at random: no open case has a score yet; run the scoring first")
