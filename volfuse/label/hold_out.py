"""The cases that are never trained on: drawn once, kept for good, so that rounds can be compared."""

import hashlib
import json
from collections.abc import Collection, Sequence
from pathlib import Path

from volfuse.label.files import write_own
from volfuse.label.records import damaged, read_record

_SHARE = 0.2
_FEWEST_CASES = 2


def hold_out(file: Path, cases: Sequence[str], seen: Collection[str]) -> set[str]:
    """Return the held-out cases; draws more when the folder has grown.

    A fifth of the cases, at least one. A case that a reader has seen is never drawn, and none that was drawn comes
    back: either would make a later round look better than it is.

    Args:
        file: where the list is kept.
        cases: all cases.
        seen: those that readers have seen.

    Raises:
        Damaged: if the list cannot be read.
    """
    kept = _read(file) if file.is_file() else set()
    wanted = max(1, round(_SHARE * len(cases))) if len(cases) >= _FEWEST_CASES else 0
    missing = wanted - len(kept.intersection(cases))
    if missing > 0:
        free = sorted(set(cases) - kept - set(seen), key=_draw)
        kept.update(free[:missing])
        write_own(file, json.dumps(sorted(kept)))
    return kept.intersection(cases)


def _read(file: Path) -> set[str]:
    cases = read_record(file, list)
    if not all(isinstance(case, str) for case in cases):
        raise damaged(file)
    return set(cases)


def _draw(case: str) -> str:
    return hashlib.sha256(case.encode()).hexdigest()
