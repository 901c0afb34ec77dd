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
from volfuse.imaging import slices_of
from volfuse.label.activelearning.finetuning import FineTuning, TrainingCase, fine_tune, measure_hold_out
from volfuse.label.activelearning.publishing import own_loss, publish, round_file
from volfuse.label.activelearning.scores import scored_slices
from volfuse.label.datastore import PairedDatastore, paired
from volfuse.label.models import loaded
from volfuse.label.rounds import Rounds
from volfuse.label.verdicts import WITHOUT_MODEL, Verdict
from volfuse.models import Bundle, bundles

_REPORTS = 10


class FineTuneTask(TrainTask):
    """Fine-tunes one bundle.

    Args:
        bundle: what is fine-tuned; its file is never changed.
    """

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(f"Fine-tune {bundle.name} on reviewed cases with its own loss")
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
        verdicts, held_out = training_split(datastore)
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
                "cases": {case: f"{verdict.verdict} {verdict.time}" for case, verdict in verdicts.items()},
                "hold_out": held_out,
                "volfuse": __version__,
            }
        )
        try:
            return self._learn(record, rounds, settings, verdicts, datastore)
        except Exception as error:
            rounds.end(record, "failed", error=str(error))
            raise

    def _learn(
        self,
        record: dict[str, Any],
        rounds: Rounds,
        settings: FineTuning,
        verdicts: Mapping[str, Verdict],
        datastore: PairedDatastore,
    ) -> dict[str, Any]:
        loss = own_loss(self._bundle)
        device = choose_device("auto")
        network = self._bundle.load_network(device)
        inferer = self._bundle.parser(device=device).get_parsed_content("inferer")
        left_out: dict[str, str] = {}
        chosen = {case: verdict.chosen_model for case, verdict in verdicts.items()}
        training = self._read(chosen, datastore, device, left_out)
        measured = self._read(dict.fromkeys(record["hold_out"]), datastore, device, left_out)
        record = rounds.store({**record, "left_out": left_out})
        if not training or not measured:
            raise FusionError(
                "No case to train on, or none to measure on, can be fused; see what was left out."
            )
        before = measure_hold_out(network, inferer, loss, measured)
        fine_tune(network, loss, training, settings, _report)
        after = measure_hold_out(network, inferer, loss, measured)
        results = {"before": asdict(before), "after": asdict(after)}
        print(f"hold-out loss {before.loss:.5f} -> {after.loss:.5f}", flush=True)
        if not after.loss < before.loss:  # so that NaN publishes nothing
            return rounds.end(record, "not better", **results)
        published = publish(
            self._bundle,
            {name: value.cpu() for name, value in network.state_dict().items()},
            {"trained_on": f"{len(training)} reviewed cases", "round": record["round"], **results},
            record["round"],
            datastore.layout.models,
        )
        return rounds.end(record, "published", published_as=published.name, **results)

    def _read(
        self,
        preferred: Mapping[str, str | None],
        datastore: PairedDatastore,
        device: torch.device,
        left_out: dict[str, str],
    ) -> list[TrainingCase]:
        """Return the cases that can be fused, and say of the others why not."""
        cases = []
        for case, model in preferred.items():
            try:
                cases.append(self._case(case, model, datastore).to(device))
            except FusionError as error:
                left_out[case] = str(error)
        return cases

    def _case(self, case: str, preferred: str | None, datastore: PairedDatastore) -> TrainingCase:
        files = datastore.pair(case).files
        with loaded(self._bundle.name) as pipeline:
            sources = pipeline.fuse_case(files).sources.as_tensor()
        numbers = scored_slices(sources)
        image = None
        if preferred and preferred != self._bundle.name:
            with loaded(preferred) as pipeline:
                image = slices_of(pipeline.fuse_case(files).fused.as_tensor(), numbers)
        return TrainingCase(case, slices_of(sources, numbers), image)


def training_split(datastore: PairedDatastore) -> tuple[dict[str, Verdict], list[str]]:
    """Return the last verdict on each case to train on, and the cases to measure on.

    Raises:
        FusionError: if there is no verdict on a case that may be trained on, or no case is held out.
    """
    held_out = datastore.held_out()
    verdicts = {
        case: verdict
        for case in datastore.get_labeled_images()
        if case not in held_out
        and (verdict := datastore.verdicts.last(case))
        and verdict.verdict not in WITHOUT_MODEL
    }
    if not verdicts:
        raise FusionError("There is no reviewed case to learn from; give a verdict on one first.")
    if not held_out:
        raise FusionError("There is no case left to measure on; put more cases into the studies folder.")
    return verdicts, sorted(held_out)


def _report(done: int, total: int, value: float) -> None:
    if done in (1, total) or done % max(1, total // _REPORTS) == 0:
        print(f"step {done}/{total}: loss {value:.5f}", flush=True)


def trainers() -> dict[str, TrainTask]:
    """Return a training task for every bundle that fuses two scans, by name."""
    return {name: FineTuneTask(bundle) for name, bundle in bundles().items() if bundle.num_sources == 2}
