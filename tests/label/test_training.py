"""A round of training in this process: what readers say reaches the weights, and what is not better stays here."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.label.server_process import write_cases
from volfuse.label.layout import Layout
from volfuse.models import Bundle, bundles

pytest.importorskip("monailabel", reason="the extra label is not installed")
from volfuse.label.datastore import PairedDatastore
from volfuse.label.training import FineTuneTask
from volfuse.label.verdicts import Judgement


@pytest.fixture
def store(tmp_path: Path) -> PairedDatastore:
    write_cases(tmp_path, 3)
    return PairedDatastore(Layout(tmp_path), ("mr", "pet"))


def train(store: PairedDatastore, **settings: Any) -> dict[str, Any]:
    return FineTuneTask(bundles()["lightfusionnet"])({"settings": {"steps": 2, **settings}}, store)


def weights(store: PairedDatastore, record: dict[str, Any]) -> torch.Tensor:
    bundle = Bundle(store.layout.models / record["bundle"], record["weights_file"])
    state = torch.load(bundle.weights, weights_only=True)
    return torch.cat([value.flatten().float() for value in state.values()])


def test_a_rejection_trains_something_else_than_an_acceptance(store: PairedDatastore) -> None:
    case = sorted(set(store.list_images()) - store.held_out())[0]
    trained = []
    for judgement in (
        Judgement("accept", "average", rating=5),
        Judgement("reject", "average", rating=1),
        Judgement("accept", "average", rating=3),
    ):
        store.verdicts.add(case, judgement)
        record = train(store)
        assert record["state"] == "published", record
        trained.append(weights(store, record))
    assert not torch.equal(trained[0], trained[1]) and not torch.equal(trained[0], trained[2])
    # Of a reader the last verdict counts, and what is trained can be trained again.
    store.verdicts.add(case, Judgement("reject", "average", rating=1))
    assert torch.equal(weights(store, train(store)), trained[1])


def test_every_reader_and_every_comparison_counts_and_held_out_cases_do_not(store: PairedDatastore) -> None:
    held_out, (case, other) = store.held_out(), sorted(set(store.list_images()) - store.held_out())
    for reader, verdict in (("A", "accept"), ("B", "reject")):
        store.verdicts.add(case, Judgement(verdict, "average", reader=reader))
    store.verdicts.add(case, Judgement("accept", "gone-round9", reader="C"))
    for asked in (other, *held_out):
        name, _ = store.comparisons.ask(asked, ["average", "maximum"], "A")
        store.comparisons.answer(name, "A", "left", "")
    record = train(store)
    said = [(answer["case"], answer["other"] is None, answer["share"]) for answer in record["answers"]]
    assert said == [(case, True, 1.0), (case, True, 0.0), (case, True, 1.0), (other, False, 1.0)]
    assert record["cases"] == [case, other] and "gone-round9" in record["left_out"]


def test_the_gate_asks_readers_who_compared_held_out_cases(store: PairedDatastore) -> None:
    """Ten readers each; those of the held-out case say that the average is better than the brighter scan."""
    (held_out,) = store.held_out()
    learnt = next(case for case in store.list_images() if case != held_out)
    for reader in map(str, range(10)):
        for case, better in ((learnt, "maximum"), (held_out, "average")):
            name, question = store.comparisons.ask(case, ["average", "maximum"], reader)
            answer = "left" if question.left == better else "right"
            store.comparisons.answer(name, reader, answer, "")
    name, _ = store.comparisons.ask(held_out, ["average", "laplacian"], "")
    store.comparisons.answer(name, "", "same", "")
    found = train(store, steps=4)["preference"]
    assert found["comparisons"] == 10 and found["low"] <= found["gain"] <= found["high"] < 0


def test_a_round_after_which_edges_are_lost_is_recorded_and_not_published(store: PairedDatastore) -> None:
    """Twenty readers who want the plain average of the scans want fewer edges."""
    for case in set(store.list_images()) - store.held_out():
        for reader in map(str, range(20)):
            store.verdicts.add(case, Judgement("prefer", "laplacian", "average", reader=reader))
    record = train(store, steps=10, preference_weight=10, learning_rate=0.003)
    assert record["state"] == "not better" and record["reason"].startswith("Q^AB/F fell from 0.")
    assert record["after"]["quality"] < record["before"]["quality"]
    assert not store.layout.models.exists()
