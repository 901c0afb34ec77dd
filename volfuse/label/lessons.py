"""The cases of a round of training, read and fused: what a network learns from and is measured on."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from volfuse.errors import FusionError
from volfuse.label.activelearning.finetuning import Choices, TrainingCase
from volfuse.label.activelearning.measuring import Choice
from volfuse.label.activelearning.utility import Answer, chances, describe, learn
from volfuse.label.datastore import PairedDatastore
from volfuse.label.slices import fuse_slices, read_slices

_USUAL = ("average", "laplacian")
"""Models beside the one that is trained that show what can be made of a case, whatever readers have seen."""


class Lessons:
    """Reads cases of a datastore for one round.

    Args:
        model: what is trained.
        datastore: the cases.
        device: where slices go.

    Attributes:
        left_out: case -> why it cannot be used.
    """

    def __init__(self, model: str, datastore: PairedDatastore, device: torch.device) -> None:
        self._model = model
        self._datastore = datastore
        self._device = device
        self.left_out: dict[str, str] = {}

    def cases(self, names: Iterable[str]) -> list[TrainingCase]:
        """Return the slices of those cases that can be read."""
        read = {name: self._read(name) for name in names}
        return [TrainingCase(name, slices) for name, slices in read.items() if slices is not None]

    def training(self, answers: Sequence[Answer]) -> tuple[list[TrainingCase], Tensor]:
        """Return the cases that readers said something of, with what they would choose.

        Returns:
            The cases, and the weights of what readers look for, see
            :func:`volfuse.label.activelearning.utility.learn`.
        """
        models = dict.fromkeys((self._model, *_USUAL))
        models |= dict.fromkeys(name for answer in answers for name in (answer.model, answer.other) if name)
        cases = {case.name: case for case in self.cases(sorted({answer.case for answer in answers}))}
        images = {name: self._fuse(models, case) for name, case in cases.items()}
        features = {
            name: {model: describe(image, cases[name].sources) for model, image in known.items()}
            for name, known in images.items()
        }
        usable = [
            answer
            for answer in answers
            if {answer.model, answer.other or answer.model} <= features.get(answer.case, {}).keys()
        ]
        weights = learn(usable, features)
        return [
            TrainingCase(name, case.sources, _choices(images[name], chances(weights, features[name])))
            for name, case in cases.items()
        ], weights

    def choices(self, answers: Sequence[Answer]) -> list[Choice]:
        """Return the comparisons with a preference whose images can be made."""
        found = []
        cases = {case.name: case for case in self.cases(sorted({answer.case for answer in answers}))}
        for answer in answers:
            if answer.share == 0.5 or answer.other is None or answer.case not in cases:
                continue
            case = cases[answer.case]
            images = self._fuse((answer.model, answer.other), case)
            if len(images) == 2:
                first, second = images[answer.model], images[answer.other]
                better, worse = (first, second) if answer.share > 0.5 else (second, first)
                found.append(Choice(case.sources, better, worse))
        return found

    def _read(self, name: str) -> Tensor | None:
        try:
            return read_slices(self._datastore.pair(name).files).to(self._device)
        except FusionError as error:
            self.left_out[name] = str(error)
            return None

    def _fuse(self, models: Iterable[str], case: TrainingCase) -> dict[str, Tensor]:
        """Return what models make of a case; those that are gone make nothing."""
        images = {}
        for model in models:
            try:
                images[model] = fuse_slices(model, case.sources)
            except FusionError as error:
                self.left_out[model] = str(error)
        return images


def _choices(images: dict[str, Tensor], known: dict[str, float]) -> Choices:
    first = next(iter(images.values()))
    return Choices(
        torch.cat(list(images.values()), dim=1), torch.tensor(list(known.values()), device=first.device)
    )
