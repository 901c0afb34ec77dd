"""What a model keeps of a lesion that one scan alone shows, in words for someone who chooses a model.

The numbers are those of ``results/lesions.csv``, which ``volfuse evaluate --lesions`` writes as ``lesion_summary.csv``.
"""

import csv
from collections.abc import Mapping
from functools import cache

from volfuse.resources import shipped

NOT_MEASURED = "Not yet measured with lesions."
_APART = 0.2  # medians of the two scans that differ by as much are told apart
_SCANS = ("first scan", "second scan")

Group = Mapping[str, str]


def kept(model: str, weights: str) -> str:
    """Say what a model keeps of a lesion.

    Args:
        model: its name.
        weights: SHA-256 of its weights in hexadecimal; empty for a classical rule.
    """
    groups = measured().get((model, weights[:12]))
    return sentence(groups) if groups else NOT_MEASURED


def sentence(groups: Mapping[str, Group]) -> str:
    """Turn the summary of a model into a sentence.

    Args:
        groups: rows of ``lesion_summary.csv`` by their group, ``all`` and the two scans at least.

    Example:
        >>> row = {"median": "0.7712", "lost": "0.0167", "lesions": "120"}
        >>> sentence({"all": row, "first scan": row, "second scan": row})
        "Keeps 0.8 of a lesion's contrast; loses 1 in 60."
    """
    everywhere, first, second = (groups[name] for name in ("all", *_SCANS))
    medians = [round(float(group["median"]), 1) for group in (first, second)]
    if round(abs(medians[0] - medians[1]), 1) < _APART:
        share = f"{float(everywhere['median']):.1f} of a lesion's contrast"
    else:
        share = (
            f"{medians[0]:.1f} of the contrast of a lesion in the first scan, {medians[1]:.1f} in the second"
        )
    return f"Keeps {share}; loses {_how_many(float(everywhere['lost']), everywhere['lesions'])}."


def _how_many(lost: float, lesions: str) -> str:
    if lost == 0:
        return f"none of {lesions}"
    return f"1 in {round(1 / lost)}" if lost < 2 / 3 else "most"


@cache
def measured() -> dict[tuple[str, str], dict[str, Group]]:
    """Return the rows of the table by model and weights, then by group."""
    models: dict[tuple[str, str], dict[str, Group]] = {}
    path = shipped("results") / "lesions.csv"
    if not path.is_file():  # in a packed bundle, which carries the library alone
        return models
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            models.setdefault((row["model"], row["weights"]), {})[row["group"]] = row
    return models
