"""What happens in a training: loss, learning rate and metrics per epoch, time left, the best weights."""

import json
import math
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from statistics import fmean
from time import monotonic
from typing import Any, Protocol

import torch
from ignite.engine import Engine, Events
from monai.engines import Evaluator
from torch import Tensor

from volfuse.errors import FusionError
from volfuse.parallel import is_first
from volfuse.storage import write_whole


class HasState(Protocol):
    """A network, or something that gives the weights of one."""

    def state_dict(self) -> Mapping[str, Any]:
        """Return what is saved."""


class TrainingRecord:
    """Keep the record of a training, as a handler of its trainer that stands before all others.

    After every epoch ``trainer.state.metrics`` holds ``loss`` and ``learning_rate``, for the handlers behind it that
    print and draw metrics, and ``metrics.json`` holds what is known of every epoch. Whenever a validation is better
    than all before it, the weights are saved as ``best.pt``.

    Args:
        output_dir: where ``metrics.json`` and ``best.pt`` go.
        trained: whose weights are saved.
        optimizer: whose learning rate is told.
        validator: the evaluator whose key metric decides, higher is better.
        fingerprint: see :func:`volfuse.training.resume.fingerprint`; kept in every checkpoint.
        early_stop: the training ends when so many validations in a row were not better than the best; 0 for never.
    """

    def __init__(
        self,
        output_dir: str | Path,
        trained: HasState,
        optimizer: torch.optim.Optimizer,
        validator: Evaluator,
        fingerprint: Mapping[str, str],
        early_stop: int = 0,
    ) -> None:
        self.folder = Path(output_dir)
        self.trained = trained
        self.optimizer = optimizer
        self.validator = validator
        self.fingerprint = dict(fingerprint)
        self.early_stop = early_stop
        self.epochs: list[dict[str, float]] = []
        self.best: dict[str, float] = {}
        self._waited = 0
        self._losses: list[float] = []
        self._begun = (0, 0.0)

    def attach(self, engine: Engine) -> None:
        """Register with a trainer, and with the validator."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._begin)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._add_loss)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._end_epoch)
        engine.add_event_handler(Events.COMPLETED, self._validate_last)
        self.validator.add_event_handler(Events.COMPLETED, self._end_validation, engine)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps of the record."""
        return {
            "fingerprint": self.fingerprint,
            "epochs": self.epochs,
            "best": self.best,
            "waited": self._waited,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with the record of a checkpoint."""
        self.epochs, self.best, self._waited = state["epochs"], state["best"], state["waited"]

    def _begin(self, trainer: Engine) -> None:
        self._losses = []
        if not self._begun[1]:
            self._begun = (trainer.state.epoch - 1, monotonic())

    def _add_loss(self, trainer: Engine) -> None:
        output: Any = trainer.state.output
        loss = output[0]["loss"]
        self._losses.append(loss.item() if isinstance(loss, Tensor) else float(loss))

    def _end_epoch(self, trainer: Engine) -> None:
        loss = fmean(self._losses)
        if not math.isfinite(loss):
            raise FusionError(
                f"The training diverged in epoch {trainer.state.epoch}; choose a lower --learning_rate."
            )
        rate = self.optimizer.param_groups[0]["lr"]
        trainer.state.metrics |= {"loss": loss, "learning_rate": rate}
        self.epochs.append({"epoch": trainer.state.epoch, "loss": loss, "learning_rate": rate})
        self._write()
        first, start = self._begun
        total = trainer.state.max_epochs or trainer.state.epoch
        left = (monotonic() - start) / (trainer.state.epoch - first) * (total - trainer.state.epoch)
        trainer.logger.info(
            "Epoch %d of %d: loss %.5g, learning rate %.3g; about %s left",
            trainer.state.epoch,
            total,
            loss,
            rate,
            timedelta(seconds=round(left)),
        )

    def _validate_last(self, trainer: Engine) -> None:
        """No training ends without a best epoch, whatever the interval of its validations."""
        if self.epochs and self._key not in self.epochs[-1]:
            self.validator.run(trainer.state.epoch)

    def _end_validation(self, validator: Engine, trainer: Engine) -> None:
        if not self.epochs or self.epochs[-1]["epoch"] != trainer.state.epoch:
            self.epochs.append({"epoch": trainer.state.epoch})
        metrics = {name: float(value) for name, value in validator.state.metrics.items()}
        self.epochs[-1] |= metrics
        key = self._key
        if metrics[key] > self.best.get(key, -math.inf):
            self.best = {"epoch": trainer.state.epoch, **metrics}
            self._waited = 0
            if is_first():
                write_whole(self.folder / "best.pt", lambda path: torch.save(self.trained.state_dict(), path))
        else:
            self._waited += 1
            if self._waited == self.early_stop:
                trainer.logger.info("%s has not improved for %d validations: the end", key, self.early_stop)
                trainer.terminate()
        self._write()

    @property
    def _key(self) -> str:
        return str(self.validator.state.key_metric_name)

    def _write(self) -> None:
        if not is_first():
            return
        content = {"fingerprint": self.fingerprint, "best": self.best, "epochs": self.epochs}
        write_whole(self.folder / "metrics.json", json.dumps(content, indent=2))
