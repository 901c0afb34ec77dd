"""The strategies of volfuse as MONAI Label wants them."""

import random
from collections.abc import Mapping
from typing import Any

from monailabel.interfaces.datastore import Datastore
from monailabel.interfaces.tasks.strategy import Strategy

from volfuse.label.activelearning.strategies import STRATEGIES, CaseScores
from volfuse.label.datastore import PairedDatastore, paired
from volfuse.label.hold_out import hold_out

_DESCRIPTIONS = {
    "random": "Any case without a verdict",
    "lowest_quality": "The case that fuses worst (run the scoring 'quality' first)",
    "highest_disagreement": "The case on which models differ most (run the scoring 'disagreement' first)",
    "diversity": "The case least like the reviewed ones (run the scoring 'appearance' first)",
}


class NextCase(Strategy):
    """Chooses among the cases without a verdict that training may use.

    Args:
        name: of a strategy of ``volfuse.label.activelearning.strategies``.
    """

    def __init__(self, name: str) -> None:
        super().__init__(_DESCRIPTIONS[name])
        self._choose = STRATEGIES[name]

    def __call__(self, request: Mapping[str, Any], datastore: Datastore) -> dict[str, Any] | None:
        """Return ``{"id", "reason", ...}``, or nothing when every case has a verdict."""
        store = paired(datastore)
        reviewed = set(store.get_labeled_images())
        cases = store.list_images()
        held_out = hold_out(store.layout.hold_out, cases, reviewed)
        open_cases = {case: _scores(store, case) for case in cases if case not in reviewed | held_out}
        if not open_cases:
            return None
        seen = [_scores(store, case) for case in sorted(reviewed)]
        choice = self._choose(open_cases, seen, random.Random())
        pair = store.pair(choice.case)
        return {
            "id": choice.case,
            "reason": choice.reason,
            "open": len(open_cases),
            "name": pair.reference.name,
            "second": pair.second.name,
        }


def strategies() -> dict[str, Strategy]:
    """Return every strategy by name."""
    return {name: NextCase(name) for name in STRATEGIES}


def _scores(store: PairedDatastore, case: str) -> CaseScores:
    stored = store.scores(case)
    return CaseScores(
        stored.get("quality", {}), stored.get("disagreement"), tuple(stored.get("appearance", ()))
    )
