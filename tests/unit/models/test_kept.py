"""What models keep of a lesion, in words: the words, and the table that they come from."""

from pathlib import Path

import pytest
import torch

from tests.unit.metrics.conftest import SHARED_DATA
from volfuse.evaluation.insertion import insertion_test, read_pairs
from volfuse.evaluation.lesion_summary import groups, summarise
from volfuse.models import bundles, find
from volfuse.models.lesions import NOT_MEASURED, kept, measured, sentence


def words(median: float, lost: float, first: float | None = None, second: float | None = None) -> str:
    medians = {"all": median, "first scan": first or median, "second scan": second or median}
    return sentence(
        {
            name: {"median": f"{value:.4f}", "lost": f"{lost:.4f}", "lesions": "120"}
            for name, value in medians.items()
        }
    )


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        (0, "none of 120"),
        (1 / 120, "1 in 120"),
        (0.02, "1 in 50"),
        (0.34, "1 in 3"),
        (0.5, "1 in 2"),
        (0.6, "1 in 2"),
        (0.67, "most"),
        (1, "most"),
    ],
)
def test_the_sentence_counts_what_is_lost(lost: float, expected: str) -> None:
    assert words(0.77, lost) == f"Keeps 0.8 of a lesion's contrast; loses {expected}."


def test_the_sentence_tells_scans_apart_that_are_treated_differently() -> None:
    assert words(0.8, 0, 0.84, 0.66) == "Keeps 0.8 of a lesion's contrast; loses none of 120."
    assert words(0.6, 0, 0.7, 0.5).startswith(
        "Keeps 0.7 of the contrast of a lesion in the first scan, 0.5 in"
    )
    assert words(0.23, 0.5, 0.97, 0.1) == (
        "Keeps 1.0 of the contrast of a lesion in the first scan, 0.1 in the second; loses 1 in 2."
    )


def test_other_weights_than_those_that_were_measured_have_no_words() -> None:
    assert kept("lightfusionnet", "0" * 64) == kept("mine", "") == NOT_MEASURED
    assert kept("average", "") != NOT_MEASURED


@pytest.mark.parametrize(("name", "weights"), measured())
def test_the_table_knows_no_other_weights_than_the_shipped_ones(name: str, weights: str) -> None:
    model = find(name)
    assert (model.weights_hash() or "")[:12] == weights, "measure again: sh results/measure.sh"
    assert model.kept.startswith("Keeps ")


@pytest.mark.parametrize("name", bundles())
def test_the_card_says_what_the_model_keeps(name: str) -> None:
    card = (bundles()[name].root / "docs" / "README.md").read_text(encoding="utf-8")
    kept_words = find(name).kept
    assert kept_words == NOT_MEASURED or kept_words in card, "run: python docs/write_tables.py"


@pytest.mark.parametrize("name", ["average", "maximum", "laplacian"])
def test_the_table_is_what_the_rules_do_today(name: str) -> None:
    pairs = Path(SHARED_DATA) / "pairs"
    if not pairs.is_dir():
        pytest.skip("needs the pairs of the shared data next to the checkout")
    rows = measured()[name, ""]
    records = insertion_test(find(name).load_network(torch.device("cpu")), read_pairs(pairs))
    for group, members in groups(records).items():
        summary = summarise(members)
        row = rows[group]
        assert summary.lesions == int(row["lesions"])
        for column in ("median", "tenth", "ninetieth"):
            assert getattr(summary, column) == pytest.approx(float(row[column]), abs=2e-3)
        assert summary.lost == pytest.approx(float(row["lost"]), abs=0.02)
