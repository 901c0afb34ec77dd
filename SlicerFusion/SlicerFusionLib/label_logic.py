"""What a reader does with the label server: calls run in a thread, volumes are made in ``poll``. No Qt."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slicer

from SlicerFusionLib.label_client import LabelClient
from SlicerFusionLib.result import Provenance, add_result
from SlicerFusionLib.status import Status, with_notes
from volfuse.errors import FusionError

_SCORES = ("quality", "disagreement", "appearance")


@dataclass(frozen=True)
class _Fetched:
    """The files of a case, and what the user should know about them."""

    sample: dict[str, Any]
    model: str
    scans: Sequence[Path]
    fused: Path
    notes: Sequence[str]


class LabelLogic:
    """Reads cases of a label server and gives verdicts.

    Call ``poll`` every now and then while ``busy``.

    Args:
        make_client: returns the client of the server with a URL and a token.
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
        make_client: Callable[[str, str], LabelClient] = LabelClient,
        load_volume: Callable[[str], slicer.vtkMRMLVolumeNode] | None = None,
    ) -> None:
        self.status = Status()
        self.info: dict[str, Any] = {}
        self.case = self.judged_model = ""
        self.volumes: list[slicer.vtkMRMLVolumeNode] = []
        self._make_client = make_client
        self._load_volume = load_volume or slicer.util.loadVolume
        self._client: LabelClient | None = None
        self._thread = ThreadPoolExecutor(1, "label-client")
        self._call: Future | None = None
        self._then: Callable[[Any], None] = lambda answer: None
        self._watched = ""
        self._folder: Path | None = None

    @property
    def busy(self) -> bool:
        """Whether an answer is awaited, or a background task of the server is watched."""
        return self._call is not None or bool(self._watched)

    @property
    def waits(self) -> bool:
        """Whether the user has to wait before the next step."""
        return self._call is not None and not self._watched

    def connect(self, url: str, token: str) -> None:
        """Ask a server what it offers."""
        self.close_case()
        self.info = {}
        try:
            self._client = self._make_client(url, token)
        except FusionError as error:
            self.status = Status(str(error), is_error=True)
            return
        self._begin("Connecting ...", self._client.info, self._connected)

    def next_case(self, strategy: str, model: str) -> None:
        """Fetch the next case and what a model makes of it."""
        self.close_case()
        self._folder = Path(tempfile.mkdtemp(prefix="volfuse-label-"))
        self._begin("Fetching the next case ...", lambda: self._fetch(strategy, model), self._fetched)

    def submit(self, verdict: dict[str, Any]) -> None:
        """Send the verdict on the case that is shown."""
        case = self.case
        self._begin("Sending the verdict ...", lambda: self._client.judge(case, verdict), self._judged)

    def train(self, model: str, reader: str) -> None:
        """Begin a round of training on the server, and watch it."""
        self._watched = "train"
        self._begin("Training ...", lambda: self._client.train(model, reader), self._watch)

    def score(self) -> None:
        """Begin to score all cases on the server, and watch it."""
        self._watched = "scoring"
        self._begin("Scoring ...", lambda: [self._client.score(name) for name in _SCORES], self._watch)

    def poll(self) -> None:
        """Take in an answer that has come."""
        if self._call is None or not self._call.done():
            return
        call, self._call = self._call, None
        try:
            self._then(call.result())
        except (FusionError, OSError, RuntimeError) as error:
            self._watched = ""
            self.status = Status(str(error), is_error=True)

    def close_case(self) -> None:
        """Stop what runs and release the case that is shown; its volumes stay in the scene."""
        self._call, self._watched = None, ""
        self.case, self.volumes, self.status = "", [], Status()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def close(self) -> None:
        """Close the case and end the thread; nothing works afterwards."""
        self.close_case()
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _begin(self, text: str, call: Callable[[], Any], then: Callable[[Any], None]) -> None:
        self.status = Status(text)
        self._then = then
        self._call = self._thread.submit(call)

    def _connected(self, info: dict[str, Any]) -> None:
        self.info = info
        count = info["datastore"]
        self.status = Status(
            f"Connected: {count['total']} cases, {count['completed']} with a verdict. {info['description']}"
        )

    def _fetch(self, strategy: str, model: str) -> _Fetched | None:
        sample = self._client.next_case(strategy)
        if not sample:
            return None
        scans = self._client.download_scans(sample, self._folder)
        fused = self._folder / "fused.nrrd"
        notes = self._client.fuse(sample["id"], model, fused)
        return _Fetched(sample, model, scans, fused, notes)

    def _fetched(self, fetched: _Fetched | None) -> None:
        if fetched is None:
            self.status = Status("Every case has a verdict.")
            return
        reference, second = (self._load_volume(str(file)) for file in fetched.scans)
        version = self.info["version"]
        fused = add_result(
            fetched.fused, reference, second, Provenance(fetched.model, fetched.model, version)
        )
        self.volumes = [reference, second, fused]
        self.case, self.judged_model = fetched.sample["id"], fetched.model
        shown = f"Case {self.case}: {fetched.sample['reason']}. {fetched.sample['open']} open."
        self.status = Status(with_notes(shown, fetched.notes))

    def _judged(self, _answer: dict[str, Any]) -> None:
        judged = self.case
        self.close_case()
        self.status = Status(f"The verdict on {judged} is stored.")

    def _watch(self, _answer: object) -> None:
        kind = self._watched
        self._begin(self.status.text, lambda: self._look(kind), self._seen)

    def _look(self, kind: str) -> tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]:
        return self._client.progress(kind), self._client.rounds(), self._client.info()

    def _seen(self, answer: tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]) -> None:
        task, rounds, self.info = answer
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
