"""What readers said, as answers to learn from."""

from collections.abc import Collection

from volfuse.label.activelearning.utility import Answer
from volfuse.label.comparisons import Comparison
from volfuse.label.datastore import PairedDatastore
from volfuse.label.verdicts import WITHOUT_MODEL, Verdict

_LOWEST_RATING, _HIGHEST_RATING = 1, 5


def answers_of(datastore: PairedDatastore, cases: Collection[str]) -> list[Answer]:
    """Return the verdicts that count (of each reader the last) and the blinded comparisons of some cases."""
    verdicts = [
        verdict
        for case in sorted(cases)
        for verdict in datastore.verdicts.by_reader(case).values()
        if verdict.verdict not in WITHOUT_MODEL
    ]
    return [*map(_of_verdict, verdicts), *comparisons_of(datastore, cases)]


def comparisons_of(datastore: PairedDatastore, cases: Collection[str]) -> list[Answer]:
    """Return the blinded comparisons of some cases, the last of each reader on the same two images."""
    last = {
        (comparison.case, comparison.reader, frozenset({comparison.left, comparison.right})): comparison
        for comparison in datastore.comparisons.all()
        if comparison.case in cases
    }
    return [_of_comparison(comparison) for comparison in last.values()]


def _of_verdict(verdict: Verdict) -> Answer:
    if verdict.preferred_model is not None:
        return Answer(verdict.case, verdict.preferred_model, verdict.model, 1.0)
    share = float(verdict.verdict == "accept")
    if verdict.rating is not None:
        share = (share + (verdict.rating - _LOWEST_RATING) / (_HIGHEST_RATING - _LOWEST_RATING)) / 2
    return Answer(verdict.case, verdict.model, None, share)


def _of_comparison(comparison: Comparison) -> Answer:
    share = {"left": 1.0, "same": 0.5, "right": 0.0}[comparison.answer]
    return Answer(comparison.case, comparison.left, comparison.right, share)
