"""Pictures and volumes side by side, clients that hang up, and processes that must not outlive their server."""

import http.client
import json
import os
import signal
import time
from collections.abc import Callable, Iterator

import numpy as np
import psutil
import pytest

from tests.conftest import write_array
from tests.label.server_process import HEADERS, Server, start, write_cases

pytestmark = pytest.mark.slow
VOLUME = "/infer/lightfusionnet?image=volume&output=json"


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with three small cases, one that cannot be read, and one that takes half a minute."""
    pytest.importorskip("monailabel", reason="the extra label is not installed")
    studies = tmp_path_factory.mktemp("busy")
    write_cases(studies, 3)
    random = np.random.default_rng(0)
    for contrast in ("mr", "pet"):
        write_array(studies / f"volume_{contrast}.nrrd", random.integers(0, 255, (400, 160, 160), np.uint8))
        (studies / f"broken_{contrast}.nii.gz").write_bytes(b"no image")
    running = start(studies)
    assert running.post("/infer/average?image=case0&output=json").status_code == 200
    yield running
    running.kill()


def begin(server: Server, address: str) -> http.client.HTTPConnection:
    """Ask, and do not wait for the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", int(server.url.rpartition(":")[2]), timeout=60)
    connection.request("POST", address, headers=HEADERS)
    return connection


def until(is_true: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def queue(server: Server, ticket: str = "") -> dict:
    return server.get(f"/infer/queue?ticket={ticket}").json()


def cpu_seconds(process: psutil.Process) -> float:
    """Return what a process and its children have used of the processor."""
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def test_nobody_waits_for_a_volume_and_whoever_hangs_up_leaves_no_work(busy: Server) -> None:
    clients = [begin(busy, f"{VOLUME}&ticket={number:032x}") for number in range(17)]
    try:
        until(lambda: queue(busy)["volumes"] == {"running": 1, "waiting": 16})
        places = [queue(busy, f"{number:032x}")["position"] for number in range(17)]
        assert sorted(places) == list(range(17))
        crowded = busy.post(VOLUME)
        assert crowded.status_code == 429 and int(crowded.headers["Retry-After"]) > 0
        assert crowded.json()["detail"].startswith("16 fusions wait already; ask again in about ")
        for method, address in (
            ("GET", "/info/"),
            ("POST", "/activelearning/random"),
            ("POST", "/infer/maximum?image=case1&output=json"),
        ):
            begun = time.monotonic()
            assert busy.ask(method, address).status_code == 200
            assert time.monotonic() - begun < 3
        begun = time.monotonic()
        assert busy.judge("case1", '{"verdict": "accept", "model": "maximum"}').status_code == 200
        assert time.monotonic() - begun < 1
    finally:
        for client in clients:
            client.close()
    until(lambda: queue(busy)["volumes"] == {"running": 0, "waiting": 0}, 3)
    server_process = psutil.Process(busy.process.pid)
    before = cpu_seconds(server_process)
    time.sleep(1)
    assert cpu_seconds(server_process) - before < 0.3


def test_a_batch_goes_on_past_a_case_that_cannot_be_read(busy: Server) -> None:
    for contrast in ("mr", "pet"):  # it would take the test's time
        (busy.studies / f"volume_{contrast}.nrrd").rename(busy.studies / f"aside_{contrast}.bin")
    try:
        assert busy.post("/batch/infer/maximum").status_code == 200
        state = busy.wait_for("/batch/infer")
    finally:
        for contrast in ("mr", "pet"):
            (busy.studies / f"aside_{contrast}.bin").rename(busy.studies / f"volume_{contrast}.nrrd")
    assert (state["status"], state["progress"]) == ("DONE", {"done": 4, "total": 4})
    failed = {case: facts["failed"] for case, facts in state["result"].items() if "failed" in facts}
    assert list(failed) == ["broken"] and failed["broken"].startswith("broken_mr.nii.gz ")
    assert (busy.studies / "fusion" / "images" / "maximum" / "case2.nii.gz").is_file()


def test_no_process_outlives_a_server_that_is_killed(busy: Server) -> None:
    """In mid-fusion and mid-training; the next server says of the round that it was interrupted."""
    held_out = json.loads((busy.studies / "fusion" / "hold_out.json").read_text(encoding="utf-8"))
    case = next(case for case in ("case0", "case1", "case2") if case not in held_out)
    assert busy.judge(case, '{"verdict": "accept", "model": "average"}').status_code == 200
    waiting = begin(busy, VOLUME)
    assert busy.post("/train/lightfusionnet", json={"steps": 10_000}).status_code == 200
    until(lambda: any("/10000]" in line for line in busy.get("/train/").json()["details"]), 120)
    until(lambda: queue(busy)["volumes"]["running"] == 1)
    processes = psutil.Process(busy.process.pid).children(recursive=True)
    assert len(processes) >= 3
    os.kill(busy.process.pid, signal.SIGKILL)
    waiting.close()
    busy.process.wait()
    _, alive = psutil.wait_procs(processes, timeout=5)
    assert [each for each in alive if each.status() != psutil.STATUS_ZOMBIE] == []
    again = start(busy.studies)
    try:
        assert [record["state"] for record in again.get("/rounds/").json()] == ["interrupted"]
        assert list((busy.studies / "fusion").glob("workers/*")) == []
    finally:
        again.kill()
