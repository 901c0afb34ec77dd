"""The app that MONAI Label asks for its parts, which stand beside this file."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from monailabel.config import settings
from monailabel.interfaces.app import MONAILabelApp
from monailabel.interfaces.datastore import Datastore
from monailabel.interfaces.tasks.infer_v2 import InferTask
from monailabel.interfaces.tasks.scoring import ScoringMethod
from monailabel.interfaces.tasks.strategy import Strategy
from monailabel.interfaces.tasks.train import TrainTask

from volfuse import __version__
from volfuse.label.datastore import PairedDatastore, paired
from volfuse.label.errors import Damaged, NotFound
from volfuse.label.infer import FusionBatch, FusionTask
from volfuse.label.layout import Layout
from volfuse.label.scoring import scoring_methods
from volfuse.label.strategies import strategies
from volfuse.label.training import trainers
from volfuse.models import catalogue
from volfuse.resources import shipped

_Offer = TypeVar("_Offer")
_logger = logging.getLogger(__name__)


class FusionApp(MONAILabelApp):
    """Serves the cases of one folder.

    Args:
        app_dir: the folder of ``main.py``.
        studies: the folder with the scans.
        conf: ``modalities``: what the file names end with, separated by a comma, the reference first.
    """

    def __init__(self, app_dir: str, studies: str, conf: Mapping[str, str]) -> None:
        self.layout = Layout(Path(studies).resolve())
        # Models that training publishes are found like any other bundle, here and in the processes started from here.
        os.environ["VOLFUSE_BUNDLES"] = str(self.layout.models)
        super().__init__(
            app_dir=app_dir,
            studies=studies,
            conf=dict(conf),
            name="SlicerFusion",
            description="Fusion of two scans of one patient. For research; not a medical device.",
            version=__version__,
        )

    def init_datastore(self) -> Datastore:
        reference, second = self.conf["modalities"].split(",")
        datastore = PairedDatastore(self.layout, (reference, second))
        try:
            datastore.held_out()  # draws them before the first reader sees a case
        except Damaged as error:
            _logger.error("%s", error)
        return datastore

    def init_infers(self) -> dict[str, InferTask]:
        return {name: FusionTask(model) for name, model in catalogue(num_sources=2).items()}

    def init_trainers(self) -> dict[str, TrainTask]:
        return trainers()

    def init_strategies(self) -> dict[str, Strategy]:
        return strategies()

    def init_scoring_methods(self) -> dict[str, ScoringMethod]:
        return scoring_methods()

    def init_batch_infer(self) -> FusionBatch:
        return FusionBatch()

    def datastore(self) -> PairedDatastore:
        return paired(super().datastore())

    def infer_task(self, model: str) -> FusionTask:
        """Return what fuses with a model.

        Raises:
            NotFound: if there is no such model.
        """
        self._take_up_new_models()
        task = _offered(self._infers, "model", model)
        assert isinstance(task, FusionTask)
        return task

    def trainer(self, model: str) -> TrainTask:
        """Return what trains a model.

        Raises:
            NotFound: if there is no such model, or it cannot be trained.
        """
        self.infer_task(model)
        if model not in self._trainers:
            raise NotFound("This model has nothing to learn; choose a trained one.")
        return self._trainers[model]

    def strategy(self, name: str) -> Strategy:
        """Return a strategy.

        Raises:
            NotFound: if there is no such one.
        """
        return _offered(self._strategies, "strategy", name)

    def scoring_method(self, name: str) -> ScoringMethod:
        """Return a scoring method.

        Raises:
            NotFound: if there is no such one.
        """
        return _offered(self._scoring_methods, "scoring method", name)

    def info(self) -> dict[str, Any]:
        self._take_up_new_models()
        facts: dict[str, Any] = super().info()
        return facts | {"modalities": list(self.datastore().modalities)}

    def infer(self, request: Mapping[str, Any], datastore: Datastore | None = None) -> dict[str, Any]:
        """Fuse a known case. MONAI Label's own way in, for many cases in the background; requests go by the lanes.

        Args:
            request: ``model``; ``image``, the name of a case; ``worker``, which fuses; ``save_label`` to keep the
                result under the name of the model.
            datastore: the cases; ours by default.

        Raises:
            NotFound: if there is no such model or case.
            FusionError: one sentence on what is wrong.
        """
        task = self.infer_task(request["model"])
        store = paired(datastore) if datastore else self.datastore()
        file, facts = task({**request, "files": store.pair(request["image"]).files})
        if request.get("save_label"):
            store.save_label(request["image"], file, request["model"], {})
        return {"file": file, "label": request["image"], "tag": request["model"], "params": facts}

    def _take_up_new_models(self) -> None:
        """Offer what other processes have published since."""
        if catalogue(num_sources=2).keys() != self._infers.keys():
            self._infers, self._trainers = self.init_infers(), self.init_trainers()


def new_application(studies: str, conf: Mapping[str, str]) -> FusionApp:
    """Return the app of a folder, in the server or in a process that works for it."""
    # Scoring a whole folder after every sample would leave a small computer no time for the reader.
    settings.MONAI_LABEL_AUTO_UPDATE_SCORING = False
    settings.MONAI_LABEL_SESSIONS = False  # ours know two scans
    return FusionApp(str(shipped("label_app")), studies, conf)


def _offered(offers: Mapping[str, _Offer], kind: str, name: str) -> _Offer:
    if name not in offers:
        raise NotFound(f"There is no such {kind}; ask /info/ for the list.")
    return offers[name]
