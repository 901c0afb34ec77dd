"""How far readers agree beyond chance: kappa."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from volfuse.label.datastore import PairedDatastore
from volfuse.label.verdicts import WITHOUT_MODEL

Said = Mapping[str, str]
"""What each reader said of one item: reader -> category."""

COHEN = "Cohen's kappa (1960): chance from each reader's own shares; unweighted categories"
FLEISS = (
    "Fleiss' kappa (1971) for items with different numbers of readers: chance from the shares of all answers; "
    "unweighted categories"
)


@dataclass(frozen=True)
class Agreement:
    """Agreement of all readers on the items that two or more of them judged.

    Attributes:
        readers: who judged any of them.
        items: how many.
        answers: on these items.
        observed: the share of pairs of answers on one item that agree, mean over the items, 0..1; ``None`` without
            items.
        kappa: 1 for agreement on everything, 0 for as much as by chance; ``None`` without items, or where all answers
            are the same and chance explains everything.
        convention: what was computed.
    """

    readers: tuple[str, ...]
    items: int
    answers: int
    observed: float | None
    kappa: float | None
    convention: str


def agreement(said: Iterable[Said]) -> Agreement:
    """Compute the agreement: Cohen's kappa of two readers, Fleiss' of more.

    Args:
        said: of each item, what each reader said; items with one reader tell nothing and are left out.
    """
    shared = [each for each in said if len(each) > 1]
    readers = tuple(sorted({reader for each in shared for reader in each}))
    convention = FLEISS if len(readers) > 2 else COHEN
    count = sum(len(each) for each in shared)
    if not shared:
        return Agreement(readers, 0, 0, None, None, convention)
    observed = sum(map(_agreeing_pairs, shared)) / len(shared)
    expected = _by_chance_of_all(shared) if len(readers) > 2 else _by_chance_of_two(shared, readers)
    kappa = None if expected == 1 else (observed - expected) / (1 - expected)
    return Agreement(readers, len(shared), count, observed, kappa, convention)


def agreement_on_verdicts(store: PairedDatastore) -> Agreement:
    """Return how far readers agree on whether the image of a model is good, by the last verdict of each on it."""
    items: dict[tuple[str, str], dict[str, str]] = {}
    for verdict in store.verdicts:
        if verdict.verdict not in WITHOUT_MODEL:
            items.setdefault((verdict.case, verdict.model), {})[verdict.reader] = verdict.verdict
    return agreement(items.values())


def agreement_on_comparisons(store: PairedDatastore) -> Agreement:
    """Return how far readers agree on which of two models' images of a case is better."""
    items: dict[tuple[str, frozenset[str]], dict[str, str]] = {}
    for each in store.comparisons.all():
        better = {"left": each.left, "right": each.right, "same": "same"}[each.answer]
        items.setdefault((each.case, frozenset({each.left, each.right})), {})[each.reader] = better
    # What is agreed on is whether the model that comes first in the alphabet is better.
    return agreement(
        {reader: "same" if better == "same" else str(better == min(pair)) for reader, better in said.items()}
        for (_, pair), said in items.items()
    )


def _agreeing_pairs(said: Said) -> float:
    count = len(said)
    return sum(times * (times - 1) for times in Counter(said.values()).values()) / (count * (count - 1))


def _by_chance_of_two(shared: list[Said], readers: tuple[str, ...]) -> float:
    first, second = (Counter(each[reader] for each in shared) for reader in readers)
    return sum(first[category] * second[category] for category in first) / len(shared) ** 2


def _by_chance_of_all(shared: list[Said]) -> float:
    counts = Counter(category for each in shared for category in each.values())
    total = sum(counts.values())
    return sum((count / total) ** 2 for count in counts.values())
