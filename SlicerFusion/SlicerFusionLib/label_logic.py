"""What a reader does with the label server: calls run in a process, volumes are made in ``poll``. No Qt."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import slicer

from SlicerFusionLib.label_calls import Calls, LabelCalls
from SlicerFusionLib.result import Provenance, add_result
from SlicerFusionLib.status import Status, with_notes
from volfuse.errors import FusionError

_SCORES = ("quality", "disagreement", "appearance")


class LabelLogic:
    """Reads cases of a label server and gives verdicts.

    Call ``poll`` every now and then while ``busy``.

    Args:
        make_calls: returns what speaks to the server with a URL and a token.
        load_volume: loads an image file into the scene.

    Attributes:
        status: what to tell the user.
        info: what the server offers; empty until it is connected.
        case: the case that is shown; empty if there is none.
        judged_model: the model whose image is shown.
        volumes: of that case: the reference, the second scan and the fused image.
    """

    def __init__(
        self,
        make_calls: Callable[[str, str], Calls] = LabelCalls,
        load_volume: Callable[[str], slicer.vtkMRMLVolumeNode] | None = None,
    ) -> None:
        self.status = Status()
        self.info: dict[str, Any] = {}
        self.case = self.judged_model = ""
        self.volumes: list[slicer.vtkMRMLVolumeNode] = []
        self._make_calls = make_calls
        self._load_volume = load_volume or slicer.util.loadVolume
        self._calls: Calls | None = None
        self._then: Callable[[Any], None] | None = None
        self._watched = ""
        self._folder: Path | None = None

    @property
    def busy(self) -> bool:
        """Whether an answer is awaited, or a background task of the server is watched."""
        return self._then is not None or bool(self._watched)

    @property
    def waits(self) -> bool:
        """Whether the user has to wait before the next step."""
        return self._then is not None and not self._watched

    def connect(self, url: str, token: str) -> None:
        """Ask a server what it offers."""
        self.close()
        self.info = {}
        try:
            self._calls = self._make_calls(url, token)
        except FusionError as error:
            self.status = Status(str(error), is_error=True)
            return
        self._begin("Connecting ...", self._connected, "info")

    def next_case(self, strategy: str, model: str, reader: str) -> None:
        """Fetch the next case for a reader, and what a model makes of it."""
        self.close_case()
        self._folder = Path(tempfile.mkdtemp(prefix="volfuse-label-"))
        self.judged_model = model
        arguments = strategy, model, str(self._folder), reader
        self._begin("Fetching the next case ...", self._fetched, "fetch", *arguments)

    def submit(self, verdict: dict[str, Any]) -> None:
        """Send the verdict on the case that is shown."""
        self._begin("Sending the verdict ...", self._judged, "judge", self.case, verdict)

    def train(self, model: str, reader: str) -> None:
        """Begin a round of training on the server, and watch it."""
        self._watched = "train"
        self._begin("Training ...", self._watch, "train", model, reader)

    def score(self) -> None:
        """Begin to score all cases on the server, and watch it."""
        self._watched = "scoring"
        self._begin("Scoring ...", self._watch, "score", _SCORES)

    def poll(self) -> None:
        """Take in an answer that has come."""
        if self._then is None:
            return
        try:
            for answer in self._calls.poll():
                then, self._then = self._then, None
                then(answer)
        except (FusionError, OSError, RuntimeError) as error:
            self._then, self._watched = None, ""
            self.status = Status(str(error), is_error=True)

    def close_case(self) -> None:
        """Stop what runs and release the case that is shown; its volumes stay in the scene."""
        if self._then and self._calls:
            self._calls.close()
        self._then, self._watched = None, ""
        self.case, self.volumes, self.status = "", [], Status()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def close(self) -> None:
        """Close the case and leave the server; returns at once, also while it does not answer."""
        self.close_case()
        if self._calls:
            self._calls.close()

    def _begin(self, text: str, then: Callable[[Any], None], call: str, *arguments: Any) -> None:
        try:
            self._calls.begin(call, *arguments)
        except FusionError as error:
            self._watched = ""
            self.status = Status(str(error), is_error=True)
            return
        self.status = Status(text)
        self._then = then

    def _connected(self, info: dict[str, Any]) -> None:
        self.info = info
        count = info["datastore"]
        self.status = Status(
            f"Connected: {count['total']} cases, {count['completed']} with a verdict. {info['description']}"
        )

    def _fetched(self, fetched: dict[str, Any]) -> None:
        if not fetched:
            self.status = Status("There is no case left to judge.")
            return
        sample = fetched["sample"]
        self.case = sample["id"]  # one that cannot be shown can be passed over
        if fault := fetched.get("fault"):
            self.status = Status(f"Case {self.case} cannot be shown; skip it. {fault}", is_error=True)
            return
        reference, second = (self._load_volume(file) for file in fetched["scans"])
        provenance = Provenance(self.judged_model, self.judged_model, self.info["version"])
        fused = add_result(Path(fetched["fused"]), reference, second, provenance)
        self.volumes = [reference, second, fused]
        shown = f"Case {self.case}: {sample['reason']}. {sample['open']} open."
        self.status = Status(with_notes(shown, fetched["notes"]))

    def _judged(self, _answer: dict[str, Any]) -> None:
        judged = self.case
        self.close_case()
        self.status = Status(f"The verdict on {judged} is stored.")

    def _watch(self, _answer: object) -> None:
        self._begin(self.status.text, self._seen, "watch", self._watched)

    def _seen(self, answer: dict[str, Any]) -> None:
        task, rounds, self.info = answer["task"], answer["rounds"], answer["info"]
        if task["status"] in ("SUBMITTED", "RUNNING"):
            lines = task.get("details") or [""]
            self.status = Status(f"{self._watched.capitalize()}: {lines[-1][:100]}")
            self._watch(None)
            return
        kind, self._watched = self._watched, ""
        if task["status"] != "DONE":
            self.status = Status(f"The {kind} ended with an error; see the server's log.", is_error=True)
        elif kind == "train":
            self.status = Status(_outcome(rounds[-1]))
        else:
            self.status = Status("All cases are scored.")


def _outcome(record: dict[str, Any]) -> str:
    if "after" not in record:
        return f"Nothing was published: {record.get('error') or record['state']}."
    change = f"Q^AB/F on held-out cases {record['before']['quality']:.3f} to {record['after']['quality']:.3f}"
    if record["state"] == "published":
        return f"Published as {record['published_as']}: {change}."
    return f"Nothing was published: {record.get('reason') or change}."
