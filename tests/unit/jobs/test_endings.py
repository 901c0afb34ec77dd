import logging
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.unit.jobs.conftest import events_until, last_event
from volfuse.errors import FusionError
from volfuse.jobs import FusionRequest, FusionWorker, JobEvent

posix = pytest.mark.skipif(os.name == "nt", reason="needs the signals of POSIX")


def is_gone(process: psutil.Process | int, seconds: float = 5) -> bool:
    """A process is gone when nothing of it runs; a container without init may keep its number."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            known = psutil.Process(process) if isinstance(process, int) else process
            if known.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def files_in(worker: FusionWorker) -> set[str]:
    return {path.name for path in worker.folder.rglob("*")} - {"worker.log"}


def long_job(worker: FusionWorker, noise: tuple[str, str]) -> int:
    """Begin a long job and return when its first slice is done."""
    job = worker.submit(FusionRequest(noise, str(worker.folder / "fused.nii"), "lightfusionnet"))
    assert events_until(worker, "progress")[-1].done < 10
    return job


def test_cancel_stops_a_running_job_within_a_second_and_keeps_the_process(
    warm: FusionWorker, noise: tuple[str, str], quick: Callable[..., FusionRequest]
) -> None:
    before = files_in(warm) - {"fused.nii.gz"}
    job = long_job(warm, noise)
    pid, start = warm.pid, time.monotonic()
    warm.cancel()
    assert time.monotonic() - start < 0.05
    assert events_until(warm) == [JobEvent(job, "cancelled")]
    assert time.monotonic() - start < 1
    assert files_in(warm) - {"fused.nii.gz"} == before
    assert last_event(warm, quick(warm)).kind == "finished" and warm.pid == pid


def test_cancel_takes_back_a_result_that_nobody_has_seen(
    warm: FusionWorker, quick: Callable[..., FusionRequest]
) -> None:
    output = warm.folder / "unseen.nii"
    job = warm.submit(quick(warm, output=str(output)))
    deadline = time.monotonic() + 60
    while not output.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    warm.cancel()
    assert events_until(warm)[-1] == JobEvent(job, "cancelled")
    assert not output.exists()


LAUNCHER = """
import subprocess, sys
sys.exit(subprocess.call([sys.executable, "-m", "volfuse.jobs"]))
"""


def test_cancel_kills_a_worker_that_does_not_answer_with_all_its_processes(
    noise: tuple[str, str], environment: dict[str, str]
) -> None:
    """It is still loading torch, behind a launcher such as PythonSlicer."""
    with FusionWorker(environment=environment, arguments=("-c", LAUNCHER)) as worker:
        job = worker.submit(FusionRequest(noise, str(worker.folder / "fused.nii"), "pca"))
        deadline = time.monotonic() + 20
        while not (children := psutil.Process(worker.pid).children()) and time.monotonic() < deadline:
            assert worker.poll() == []
        processes = [psutil.Process(worker.pid), *children]
        assert len(processes) == 2
        (worker.folder / ".fused.123.nii").touch()
        start = time.monotonic()
        worker.cancel()
        worker.cancel()
        assert events_until(worker) == [JobEvent(job, "cancelled")]
        assert time.monotonic() - start < 1
        assert all(map(is_gone, processes))
        assert files_in(worker) == set() and worker.pid is None


@posix
def test_a_killed_worker_gives_one_sentence_and_the_next_job_a_new_one(
    warm: FusionWorker, noise: tuple[str, str], quick: Callable[..., FusionRequest]
) -> None:
    job = long_job(warm, noise)
    pid = warm.pid
    os.kill(pid, signal.SIGKILL)
    assert is_gone(pid)
    warm.start()  # waits for the job's end to be told
    sentence = (
        "The fusion stopped because its process was killed, perhaps for lack of memory; "
        "close other programs and try again."
    )
    events = [event for event in events_until(warm) if event.kind != "progress"]
    assert events == [JobEvent(job, "failed", message=sentence)]
    assert not warm.busy and warm.poll() == []
    assert last_event(warm, quick(warm)).kind == "finished"
    assert warm.pid != pid


def test_a_worker_that_cannot_begin_gives_one_sentence(
    quick: Callable[..., FusionRequest], caplog: pytest.LogCaptureFixture
) -> None:
    with FusionWorker(arguments=("-c", "import no_such_module")) as worker:
        event = last_event(worker, quick(worker))
    assert event.message == (
        "The fusion stopped because its process ended unexpectedly (exit code 1); "
        "try again, and report the log if it happens again."
    )
    assert "No module named 'no_such_module'" in caplog.text


def test_what_libraries_print_does_not_disturb(
    quick: Callable[..., FusionRequest], environment: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """Before the worker takes its output for itself lines are passed over; later ones go to the log."""
    caplog.set_level(logging.INFO)
    chatter = """
import os, runpy, sys, threading, time
print('{"job": 1, "kind":', flush=True)
def chat():
    while True:
        print("stray")
        os.write(1, b'{"half')
        time.sleep(0.001)
threading.Thread(target=chat, daemon=True).start()
time.sleep(0.05)
runpy.run_module("volfuse.jobs", run_name="__main__", alter_sys=True)
"""
    with FusionWorker(environment=environment, arguments=("-c", chatter)) as worker:
        worker.submit(quick(worker))
        events = events_until(worker)
        log = (worker.folder / "worker.log").read_text(encoding="utf-8")
    assert [event.kind for event in events] == ["started", *["progress"] * 20, "finished"]
    assert 'The worker printed: {"job": 1, "kind":' in caplog.text
    assert "stray" in log and '{"half' in log


def test_close_ends_the_process_and_removes_the_folder(environment: dict[str, str]) -> None:
    worker = FusionWorker(environment=environment)
    if os.name != "nt":
        assert stat.S_IMODE(worker.folder.stat().st_mode) == 0o700
    worker.start()
    process = psutil.Process(worker.pid)
    (worker.folder / "source.nrrd").touch()
    worker.close()
    worker.close()
    assert is_gone(process) and not worker.folder.exists()
    assert not worker.busy and worker.poll() == []
    with pytest.raises(FusionError, match=r"^This fusion worker is closed; make a new one\.$"):
        worker.start()


PARENT = """
import os, sys, time
from volfuse.jobs import FusionRequest, FusionWorker

assert not {"torch", "monai", "numpy"} & sys.modules.keys()
worker = FusionWorker()
worker.submit(FusionRequest(tuple(sys.argv[2:]), str(worker.folder / "fused.nii"), "lightfusionnet"))
while sys.argv[1] == "crash" and not any(event.kind == "progress" for event in worker.poll()):
    time.sleep(0.02)
assert not {"torch", "monai", "numpy"} & sys.modules.keys()
print(worker.pid, worker.folder, flush=True)
if sys.argv[1] == "crash":
    os._exit(3)
"""


@pytest.mark.parametrize(("ending", "code"), [("crash", 3), ("exit", 0)])
def test_the_worker_ends_with_its_parent_which_needs_no_torch(
    noise: tuple[str, str], environment: dict[str, str], ending: str, code: int
) -> None:
    """In mid-fusion, whether the parent dies at once or forgets to close."""
    parent = subprocess.run(
        [sys.executable, "-c", PARENT, ending, *noise],
        check=False,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    assert parent.returncode == code
    pid, folder = parent.stdout.split()
    assert is_gone(int(pid))
    assert not Path(folder).exists()
