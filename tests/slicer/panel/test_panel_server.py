"""The section Server against a scripted client; the client itself meets the real server in tests/label."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import SimpleITK as sitk
import slicer
from standins.application import MODULE_FOLDER, wait_until

from SlicerFusionLib.label_calls import LabelCalls
from SlicerFusionLib.label_logic import LabelLogic
from SlicerFusionLib.result import MODEL_ATTRIBUTE, SOURCE_ROLE
from SlicerFusionLib.widget import FusionPanel
from volfuse.errors import FusionError
from volfuse.label.client import LabelClient

SHAPE = (6, 7, 8)
ON_PATH = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (MODULE_FOLDER, MODULE_FOLDER.parent)))}


class ScriptedClient(LabelClient):
    """A server with one case, which answers as the real one does."""

    def __init__(self) -> None:
        self.open = ["case1"]
        self.judged: list[tuple[str, dict[str, Any]]] = []
        self.states = ["RUNNING", "DONE"]
        self.record = {
            "state": "published",
            "published_as": "net-round1",
            "before": {"quality": 0.7},
            "after": {"quality": 0.71},
        }
        self.failure = self.unfit = ""
        self.notes: list[str] = []

    def info(self) -> dict[str, Any]:
        if self.failure:
            raise FusionError(self.failure)
        return {
            "models": {"net": {}, "average": {}},
            "trainers": {"net": {}},
            "strategies": {"random": {}, "diversity": {}},
            "datastore": {"total": 3, "completed": len(self.judged)},
            "description": "For research.",
            "version": "1.0",
        }

    def next_case(self, strategy: str, reader: str = "") -> dict[str, Any]:
        self.asked = reader
        if not self.open:
            return {}
        names = {"name": "case1_mr.nrrd", "second": "case1_pet.nrrd"}
        return {"id": self.open[0], "reason": f"chosen by {strategy}", "open": len(self.open), **names}

    def download_scans(self, sample: dict[str, Any], folder: Path) -> tuple[Path, Path]:
        return self._write(folder / sample["name"], 1), self._write(folder / sample["second"], 2)

    def fuse(self, case: str, model: str, file: Path) -> list[str]:
        if self.unfit:
            raise FusionError(self.unfit)
        self._write(file, 7)
        return self.notes

    def judge(self, case: str, verdict: dict[str, Any]) -> dict[str, Any]:
        self.judged.append((case, verdict))
        self.open.remove(case)
        return {}

    def train(self, model: str, reader: str) -> None:
        self.trained = model, reader

    def progress(self, kind: str) -> dict[str, Any]:
        return {"status": self.states.pop(0), "details": ["step 3/10: loss 1.7"]}

    def rounds(self) -> list[dict[str, Any]]:
        return [self.record]

    @staticmethod
    def _write(file: Path, value: int) -> Path:
        sitk.WriteImage(sitk.GetImageFromArray(np.full(SHAPE, value, np.uint8)), str(file))
        return file


class ScriptedCalls:
    """Calls of a client in this very process, answered at the next poll."""

    def __init__(self, client: ScriptedClient) -> None:
        self._client = client
        self._begun: list[tuple[str, tuple[Any, ...]]] = []

    def begin(self, call: str, *arguments: Any) -> None:
        self._begun = [(call, arguments)]

    def poll(self) -> list[Any]:
        begun, self._begun = self._begun, []
        return [getattr(self._client, call)(*arguments) for call, arguments in begun]

    def close(self) -> None:
        self._begun = []


@pytest.fixture
def client() -> ScriptedClient:
    return ScriptedClient()


@pytest.fixture
def server(
    panel: FusionPanel, client: ScriptedClient, add_volume: Callable, monkeypatch: pytest.MonkeyPatch
) -> FusionPanel:
    """The panel, with a client that speaks to nobody."""

    def load(path: str) -> slicer.vtkMRMLVolumeNode:
        return add_volume(Path(path).stem, sitk.GetArrayFromImage(sitk.ReadImage(path)))

    monkeypatch.setattr(panel._server, "logic", LabelLogic(lambda url, token: ScriptedCalls(client), load))
    return panel


def finish(panel: FusionPanel) -> str:
    """Let the panel work until it waits for the user; return what it says."""
    wait_until(lambda: not panel._server.logic.busy)
    panel._server._poll()
    return panel.ui.serverStatusLabel.text


def connect(panel: FusionPanel) -> str:
    panel.ui.connectButton.click()
    return finish(panel)


def test_before_it_is_connected_only_connecting_is_possible(server: FusionPanel) -> None:
    ui = server.ui
    buttons = (ui.nextCaseButton, ui.submitButton, ui.scoreButton, ui.trainButton)
    assert ui.connectButton.isEnabled() and not any(button.isEnabled() for button in buttons)


def test_connecting_offers_what_the_server_has(server: FusionPanel) -> None:
    assert connect(server) == "Connected: 3 cases, 0 with a verdict. For research."
    ui = server.ui
    assert [ui.strategyComboBox.itemText(row) for row in range(2)] == ["random", "diversity"]
    assert [ui.serverModelComboBox.itemText(row) for row in range(2)] == ["net", "average"]
    assert ui.nextCaseButton.isEnabled() and not ui.submitButton.isEnabled()


def test_the_next_case_shows_both_scans_and_the_fused_image(
    server: FusionPanel, scene: slicer.vtkMRMLScene
) -> None:
    connect(server)
    server.ui.strategyComboBox.setCurrentIndex(1)
    server.ui.nextCaseButton.click()
    assert finish(server) == "Case case1: chosen by diversity. 1 open."
    reference, second, fused = server._server.logic.volumes
    assert fused.GetAttribute(MODEL_ATTRIBUTE) == "net"
    assert [fused.GetNthNodeReference(SOURCE_ROLE, number) for number in range(2)] == [reference, second]
    assert slicer.util.arrayFromVolume(fused).max() == 7
    red = scene.GetFirstNodeByClass("vtkMRMLSliceCompositeNode")
    assert red.GetBackgroundVolumeID() == reference.GetID()
    assert red.GetForegroundVolumeID() == second.GetID()
    assert server.ui.submitButton.isEnabled()


def test_notes_on_a_case_stand_below_it(server: FusionPanel, client: ScriptedClient) -> None:
    connect(server)
    client.notes = ["case1_pet.nrrd covers 12% of case1_mr.nrrd."]
    server.ui.nextCaseButton.click()
    assert finish(server).endswith("1 open.\nNote: case1_pet.nrrd covers 12% of case1_mr.nrrd.")


def test_a_verdict_is_sent_as_the_widgets_say(server: FusionPanel, client: ScriptedClient) -> None:
    connect(server)
    server.ui.nextCaseButton.click()
    finish(server)
    ui = server.ui
    assert not ui.preferredModelComboBox.isEnabled()
    ui.verdictComboBox.setCurrentIndex(2)
    assert ui.preferredModelComboBox.isEnabled()
    ui.preferredModelComboBox.setCurrentIndex(1)
    ui.ratingSpinBox.value = 2
    ui.commentEdit.text, ui.readerEdit.text = "faint", "Dr. A"
    ui.submitButton.click()
    assert finish(server) == "The verdict on case1 is stored."
    words = {"verdict": "prefer", "model": "net", "preferred_model": "average", "rating": 2}
    assert client.judged == [("case1", {**words, "comment": "faint", "reader": "Dr. A"})]
    assert not ui.submitButton.isEnabled()
    assert (ui.ratingSpinBox.value, ui.commentEdit.text, ui.readerEdit.text) == (0, "", "Dr. A")
    ui.nextCaseButton.click()
    assert finish(server) == "There is no case left to judge."


def test_a_case_that_cannot_be_shown_can_be_passed_over(server: FusionPanel, client: ScriptedClient) -> None:
    connect(server)
    ui = server.ui
    client.unfit = "case1_pet.nrrd is damaged."
    ui.readerEdit.text = "Dr. A"
    ui.nextCaseButton.click()
    assert finish(server) == "Case case1 cannot be shown; skip it. case1_pet.nrrd is damaged."
    assert client.asked == "Dr. A" and server._server.logic.volumes == []
    for row, decision, comment in ((3, "skip", ""), (4, "cannot_judge", "no PET")):
        ui.verdictComboBox.setCurrentIndex(row)
        ui.commentEdit.text = comment
        reason = comment or "Skip"
        assert server._server.verdict() == {"verdict": decision, "reason": reason, "reader": "Dr. A"}
    ui.submitButton.click()
    assert finish(server) == "The verdict on case1 is stored." and client.judged[0][0] == "case1"


def test_no_rating_and_no_preference_are_sent_as_nothing(server: FusionPanel) -> None:
    connect(server)
    verdict = server._server.verdict()
    assert verdict["rating"] is None and verdict["preferred_model"] is None


def test_training_is_watched_to_its_end(server: FusionPanel, client: ScriptedClient) -> None:
    connect(server)
    server.ui.serverModelComboBox.setCurrentIndex(0)
    server._server._update()
    server.ui.readerEdit.text = "Dr. A"
    server.ui.trainButton.click()
    assert not server.ui.nextCaseButton.isEnabled()
    assert finish(server) == "Published as net-round1: Q^AB/F on held-out cases 0.700 to 0.710."
    assert client.trained == ("net", "Dr. A") and client.states == []


def test_a_rule_cannot_be_trained(server: FusionPanel) -> None:
    connect(server)
    server.ui.serverModelComboBox.setCurrentIndex(1)
    server._server._update()
    assert not server.ui.trainButton.isEnabled()


def test_a_failure_is_told_and_leaves_the_panel_usable(server: FusionPanel, client: ScriptedClient) -> None:
    client.failure = "The server does not answer."
    assert connect(server) == "The server does not answer."
    assert "c0392b" in server.ui.serverStatusLabel.styleSheet
    client.failure = ""
    assert connect(server).startswith("Connected")


def test_closing_the_scene_closes_the_case(server: FusionPanel, scene: slicer.vtkMRMLScene) -> None:
    connect(server)
    server.ui.nextCaseButton.click()
    finish(server)
    scene.Clear(False)
    assert server._server.logic.volumes == [] and not server.ui.submitButton.isEnabled()


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "ftp://x", "file:///etc/passwd"])
def test_only_addresses_of_servers_are_taken(url: str) -> None:
    with pytest.raises(FusionError, match="is not the address of a server"):
        LabelClient(url, "token")


def test_a_server_that_is_not_there_is_said_to_be_so() -> None:
    with pytest.raises(FusionError, match="does not answer; check the URL"):
        LabelClient("http://127.0.0.1:9", "token").info()


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_leaving_a_server_that_never_answers_takes_no_time(silent: str) -> None:
    logic = LabelLogic()
    logic.connect(silent, "token")
    calls = logic._calls
    wait_until(lambda: calls._process is not None)
    process = calls._process
    logic.poll()
    assert logic.waits
    begun = time.monotonic()
    logic.close()
    assert time.monotonic() - begun < 2
    assert not logic.busy
    wait_until(lambda: process.is_over)


def test_an_interpreter_that_waits_for_a_silent_server_ends(silent: str) -> None:
    """As Slicer does when it is closed: nothing of the process that waits may keep it."""
    script = f"""
from SlicerFusionLib.label_calls import LabelCalls
calls = LabelCalls({silent!r}, "token")
calls.begin("info")
print(calls._process.pid, flush=True)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=ON_PATH, capture_output=True, text=True, timeout=60, check=True
    )
    pid = int(done.stdout)
    wait_until(lambda: not psutil.pid_exists(pid))


def test_what_goes_wrong_in_a_call_is_one_sentence() -> None:
    calls = LabelCalls("http://127.0.0.1:9", "token")
    answers: list[str] = []

    def has_failed() -> bool:
        try:
            calls.poll()
        except FusionError as error:
            answers.append(str(error))
        return bool(answers)

    for call, sentence in (
        ("info", "The server http://127.0.0.1:9 does not answer; check the URL and whether it runs."),
        ("dance", "There is no call 'dance'; use info, fetch, judge, score, train, watch."),
    ):
        answers.clear()
        calls.begin(call)
        wait_until(has_failed)
        assert answers == [sentence]
    calls.close()
