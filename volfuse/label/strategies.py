"""The strategies of volfuse as MONAI Label wants them."""

import random
from collections.abc import Mapping
from typing import Any

from monailabel.interfaces.datastore import Datastore
from monailabel.interfaces.tasks.strategy import Strategy

from volfuse.label.activelearning.strategies import STRATEGIES, CaseScores
from volfuse.label.datastore import PairedDatastore, paired
from volfuse.label.errors import Busy
from volfuse.label.leases import SECONDS

_DESCRIPTIONS = {
    "random": "Any case without a verdict",
    "lowest_quality": "The case that fuses worst (run the scoring 'quality' first)",
    "highest_disagreement": "The case on which models differ most (run the scoring 'disagreement' first)",
    "diversity": "The case least like the reviewed ones (run the scoring 'appearance' first)",
}


class NextCase(Strategy):
    """Chooses among the cases that training may use, that wait for a verdict and that no other reader has.

    Args:
        name: of a strategy of ``volfuse.label.activelearning.strategies``.
    """

    def __init__(self, name: str) -> None:
        super().__init__(_DESCRIPTIONS[name])
        self._choose = STRATEGIES[name]

    def __call__(self, request: Mapping[str, Any], datastore: Datastore) -> dict[str, Any] | None:
        """Lease a case to a reader.

        Args:
            request: ``reader``, who asks, and ``readings``, how many readers shall judge each case.
            datastore: the cases.

        Returns:
            ``{"id", "reason", ...}``, or nothing when the reader has no case left to judge.

        Raises:
            Busy: if every case that is left is with another reader.
        """
        store = paired(datastore)
        reader, readings = request.get("reader", ""), request.get("readings", 1)
        waiting = _waiting(store, reader, readings)
        reasons: dict[str, str] = {}

        def choose(with_others: set[str]) -> str | None:
            free = {case: _scores(store, case) for case in waiting if case not in with_others}
            if not free:
                return None
            seen = [_scores(store, case) for case in sorted(store.verdicts.reviewed())]
            choice = self._choose(free, seen, random.Random())
            reasons[choice.case] = choice.reason
            return choice.case

        case = store.leases.take(reader, choose)
        if case is None:
            if waiting:
                raise Busy("Every case that is left is with another reader; ask again later.")
            return None
        pair = store.pair(case)
        return {
            "id": case,
            "reason": reasons[case],
            "open": len(waiting),
            "name": pair.reference.name,
            "second": pair.second.name,
            "lease_seconds": SECONDS,
        }


def strategies() -> dict[str, Strategy]:
    """Return every strategy by name."""
    return {name: NextCase(name) for name in STRATEGIES}


def _waiting(store: PairedDatastore, reader: str, readings: int) -> list[str]:
    """Return the cases that too few readers have judged, this one not among them, and that they did not skip."""
    held_out, seen = store.held_out(), store.verdicts.seen()
    waiting = []
    for case in store.list_images():
        judged = store.verdicts.by_reader(case) if case in seen else {}
        is_hopeless = any(verdict.verdict == "cannot_judge" for verdict in judged.values())
        is_closed = is_hopeless or len(judged) >= readings or reader in judged
        if case not in held_out and not is_closed and reader not in store.verdicts.skipped_by(case):
            waiting.append(case)
    return waiting


def _scores(store: PairedDatastore, case: str) -> CaseScores:
    stored = store.scores(case)
    return CaseScores(
        stored.get("quality", {}), stored.get("disagreement"), tuple(stored.get("appearance", ()))
    )
