"""One round of training: fine-tune on reviewed cases, measure on the held-out ones, publish only what is better."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from monailabel.interfaces.datastore import Datastore
from monailabel.interfaces.tasks.train import TrainTask

from volfuse import __version__
from volfuse.errors import FusionError
from volfuse.fusion.pipeline import choose_device
from volfuse.label import files
from volfuse.label.activelearning.finetuning import FineTuning, fine_tune
from volfuse.label.activelearning.measuring import margins, measure_hold_out, preference, shortcoming
from volfuse.label.activelearning.publishing import own_loss, own_training, publish, round_file
from volfuse.label.activelearning.utility import FEATURES, Answer
from volfuse.label.agreement import agreement_on_comparisons, agreement_on_verdicts
from volfuse.label.datastore import PairedDatastore, paired
from volfuse.label.evidence import answers_of, comparisons_of
from volfuse.label.lessons import Lessons
from volfuse.label.progress import report_progress
from volfuse.label.rounds import Rounds
from volfuse.models import Bundle, bundles

_REPORTS = 10


class FineTuneTask(TrainTask):
    """Fine-tunes one bundle.

    Args:
        bundle: what is fine-tuned; its file is never changed.
    """

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(f"Fine-tune {bundle.name} with its own loss and what readers said")
        self._bundle = bundle

    def config(self) -> dict[str, Any]:
        return asdict(FineTuning())

    def __call__(self, request: Mapping[str, Any], datastore: Datastore) -> dict[str, Any]:
        """Train, and return the record of the round.

        Args:
            request: ``settings`` (of ``FineTuning``) and ``reader``, who asked for it.
            datastore: the cases.

        Raises:
            FusionError: if there is nothing to learn from.
            Busy: if another round is running.
        """
        store = paired(datastore)
        rounds = Rounds(store.layout.rounds)
        with rounds.alone():
            return self._train(FineTuning(**request.get("settings", {})), rounds, request, store)

    def _train(
        self, settings: FineTuning, rounds: Rounds, request: Mapping[str, Any], datastore: PairedDatastore
    ) -> dict[str, Any]:
        rounds.repair(datastore.layout.models)
        answers, held_out = training_split(datastore)
        number = rounds.next_number()
        record = rounds.begin(
            {
                "round": number,
                "model": self._bundle.name,
                "bundle": self._bundle.root.name,
                "weights_file": round_file(self._bundle, number),
                "base_sha256": self._bundle.weights_hash(),
                "reader": request.get("reader", ""),
                "settings": asdict(settings),
                "cases": sorted({answer.case for answer in answers}),
                "answers": [asdict(answer) for answer in answers],
                "hold_out": held_out,
                "agreement": {
                    "verdicts": asdict(agreement_on_verdicts(datastore)),
                    "comparisons": asdict(agreement_on_comparisons(datastore)),
                },
                "volfuse": __version__,
            }
        )
        try:
            return self._learn(record, rounds, settings, answers, datastore)
        except Exception as error:
            rounds.end(record, "failed", error=str(error))
            raise

    def _learn(
        self,
        record: dict[str, Any],
        rounds: Rounds,
        settings: FineTuning,
        answers: list[Answer],
        datastore: PairedDatastore,
    ) -> dict[str, Any]:
        device = choose_device("auto")
        network = self._bundle.load_network(device)
        inferer = self._bundle.parser(device=device).get_parsed_content("inferer")
        lessons = Lessons(self._bundle.name, datastore, device)
        training, weights = lessons.training(answers)
        measured = lessons.cases(record["hold_out"])
        choices = lessons.choices(comparisons_of(datastore, record["hold_out"]))
        record.update(utility=dict(zip(FEATURES, weights.tolist(), strict=True)), left_out=lessons.left_out)
        if not training or not measured:
            raise FusionError(
                "No case to train on, or none to measure on, can be fused; the record of the round says why."
            )
        own, (loss, prepare) = own_loss(self._bundle), own_training(self._bundle)
        before, margins_before = (
            measure_hold_out(network, inferer, own, measured),
            margins(network, inferer, choices),
        )
        fine_tune(network, loss, training, settings, _report, prepare)
        after = measure_hold_out(network, inferer, own, measured)
        readers = preference(margins_before, margins(network, inferer, choices))
        reason = shortcoming(before, after, readers)
        results = {
            "before": asdict(before),
            "after": asdict(after),
            "preference": readers and asdict(readers),
        }
        if reason:
            print(f"not better: {reason}", flush=True)
            return rounds.end(record, "not better", reason=reason, **results)
        state: dict[str, torch.Tensor] = {name: value.cpu() for name, value in network.state_dict().items()}
        trained_on = {"trained_on": f"{len(training)} reviewed cases", "round": record["round"]}
        files.own(datastore.layout.models / self._bundle.root.name)
        published = publish(
            self._bundle, state, trained_on | results, record["round"], datastore.layout.models
        )
        return rounds.end(record, "published", published_as=published.name, **results)


def training_split(datastore: PairedDatastore) -> tuple[list[Answer], list[str]]:
    """Return what readers said of the cases to train on, and the cases to measure on.

    Raises:
        FusionError: if there is no answer on a case that may be trained on, or no case is held out.
    """
    held_out = datastore.held_out()
    answers = answers_of(datastore, set(datastore.list_images()) - held_out)
    if not answers:
        raise FusionError("There is no reviewed case to learn from; give a verdict on one first.")
    if not held_out:
        raise FusionError("There is no case left to measure on; put more cases into the studies folder.")
    return answers, sorted(held_out)


def _report(done: int, total: int, value: float) -> None:
    if done in (1, total) or done % max(1, total // _REPORTS) == 0:
        report_progress(done, total, f"step {done}/{total}: loss {value:.5f}")


def trainers() -> dict[str, TrainTask]:
    """Return a training task for every bundle that fuses two scans, by name."""
    return {name: FineTuneTask(bundle) for name, bundle in bundles().items() if bundle.num_sources == 2}
