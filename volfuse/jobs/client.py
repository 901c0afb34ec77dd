"""FusionWorker: one fusion at a time in another process, polled by whoever shows its progress."""

import json
import logging
import os
import shutil
import sys
import tempfile
import time
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from volfuse.errors import FusionError
from volfuse.jobs.limits import Limits
from volfuse.jobs.messages import FusionRequest, JobEvent
from volfuse.jobs.process import LineProcess

_GRACE_SECONDS = 0.7  # with a poll every 0.1 s and the time to kill, a cancelled job has ended within 1 s
_MOST_LOGGED = 1 << 20  # bytes
_OUT_OF_MEMORY_CODES = (-9, 137)  # killed by the system; the second as a launcher reports it

_logger = logging.getLogger(__name__)


class FusionWorker:
    """A process that fuses, one job at a time, and keeps its models in memory between jobs.

    Every method returns at once, so a timer of a user interface can call ``poll``. The process ends with
    this object, with this process, or with ``close``, and ``folder`` is removed with it. Use it from one thread.

    Example:
        >>> with FusionWorker() as worker:  # doctest: +SKIP
        ...     worker.submit(FusionRequest(("mr.nrrd", "pet.nrrd"), str(worker.folder / "fused.nii"), "pca"))
        ...     while worker.busy:
        ...         for event in worker.poll():
        ...             print(event)
        ...         time.sleep(0.1)

    Args:
        python: the Python to run it with; it needs torch, MONAI and volfuse.
        environment: its environment variables; ``None`` for those of this process.
        arguments: how that Python starts the worker. ``-P`` keeps modules that happen to lie in the current
            directory out of it.
        limits: what it may take of the computer.
        parent: where ``folder`` is made; by default where the system keeps temporary files.

    Attributes:
        folder: a private temporary directory for sources and results.
    """

    def __init__(
        self,
        python: str | Path = sys.executable,
        environment: Mapping[str, str] | None = None,
        arguments: Sequence[str] = ("-P", "-m", "volfuse.jobs"),
        limits: Limits | None = None,
        parent: Path | None = None,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="volfuse-", dir=parent))
        self._command = [str(python), *arguments, *([limits.to_argument()] if limits else [])]
        self._environment = environment
        self._log = self.folder / "worker.log"
        self._log_read = 0
        self._processes: list[LineProcess] = []  # one at most; a list, for the finalizer to see changes
        self._finalizer = weakref.finalize(self, _remove_all, self._processes, self.folder)
        self._job = 0
        self._outputs: list[Path] | None = None  # of the job that runs
        self._kill_at: float | None = None

    def __enter__(self) -> "FusionWorker":
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close."""
        self.close()

    @property
    def busy(self) -> bool:
        """Whether a job runs whose end ``poll`` has not returned yet."""
        return self._outputs is not None

    @property
    def pid(self) -> int | None:
        """The number of the process, if it runs."""
        return self._processes[0].pid if self._processes else None

    def start(self) -> None:
        """Start the process if it does not run, so that torch is loaded before the first job.

        Raises:
            FusionError: if it cannot be started, or this worker is closed.
        """
        if not self._finalizer.alive:
            raise FusionError("This fusion worker is closed; make a new one.")
        if self.busy or (self._processes and not self._processes[0].is_over):
            return
        try:
            self._processes[:] = [LineProcess(self._command, self._environment, self._log)]
        except OSError as error:
            raise FusionError(
                f"{self._command[0]} could not be started; choose a Python that has torch, MONAI and volfuse."
            ) from error
        self._send({"command": "remove_at_exit", "folder": str(self.folder)})

    def submit(self, request: FusionRequest) -> int:
        """Begin a job; returns its number.

        Raises:
            FusionError: if a job runs already, the output lies outside ``folder``, or see :meth:`start`.
        """
        if not Path(request.output).resolve().is_relative_to(self.folder.resolve()):
            raise FusionError(f"The output {request.output} must lie inside {self.folder}.")
        outputs = [Path(request.output), *request.contribution_files]
        return self._begin("fuse", request.to_json(), outputs)

    def check(self, source: Path) -> int:
        """Begin a job that reads an image as a fusion would; returns its number.

        Its result holds ``shape``, ``color`` and ``affine`` of the image; it fails if the image is unfit for fusion.

        Raises:
            FusionError: if a job runs already, or see :meth:`start`.
        """
        return self._begin("check", {"source": str(source)}, [])

    def poll(self) -> list[JobEvent]:
        """Return what has happened since the last call."""
        if not self._processes:
            return []
        process = self._processes[0]
        was_over = process.is_over  # asked before its last lines are read
        events = [event for line in process.receive() if line.strip() and (event := self._understand(line))]
        if self.busy and self._kill_at is not None and time.monotonic() > self._kill_at:
            process.kill()
            self._processes.clear()
            events.append(self._end(JobEvent(self._job, "cancelled")))
        elif was_over:
            self._processes.clear()
            if self.busy:
                events.append(self._end(JobEvent(self._job, "failed", message=_explain(process.exit_code))))
        return events

    def cancel(self) -> None:
        """Ask the job to stop; ``poll`` kills the process if it does not do so soon."""
        if self.busy and self._kill_at is None:
            self._kill_at = time.monotonic() + _GRACE_SECONDS
            self._send({"command": "cancel", "job": self._job})

    def close(self) -> None:
        """Kill the process with everything it started and remove ``folder``."""
        self._finalizer()
        self._processes.clear()
        self._outputs = None

    def _begin(self, command: str, request: Mapping[str, object], outputs: list[Path]) -> int:
        if self.busy:
            raise FusionError("A fusion is running already; wait for it or cancel it first.")
        self.start()
        self._job += 1
        self._outputs = outputs
        self._kill_at = None
        self._send({"command": command, "job": self._job, "request": request})
        return self._job

    def _send(self, message: Mapping[str, object]) -> None:
        self._processes[0].send(json.dumps(message) + "\n")

    def _understand(self, line: str) -> JobEvent | None:
        try:
            event = JobEvent.from_line(line)
        except ValueError:
            _logger.info("The worker printed: %s", line.rstrip())
            return None
        if event.job != self._job or not self.busy:
            return None
        if event.kind in ("finished", "failed", "cancelled"):
            return self._end(event)
        return event if self._kill_at is None else None

    def _end(self, event: JobEvent) -> JobEvent:
        if self._kill_at is not None:  # the user cancelled it before it ended
            event = JobEvent(event.job, "cancelled")
        if event.kind != "finished" and self._outputs is not None:
            # Files are half-written while their names start with a dot.
            for path in (*self._outputs, *self.folder.rglob(".*")):
                with suppress(OSError):
                    path.unlink()
        logged = self._read_log()
        if event.kind == "failed":
            _logger.warning("Job %d failed: %s\n%s", event.job, event.message, logged)
        self._outputs = None
        return event

    def _read_log(self) -> str:
        """Return what the process has logged since the end of the last job."""
        with self._log.open("rb") as log:
            log.seek(self._log_read)
            text = log.read().decode(errors="replace")
            self._log_read = log.tell()
        if self._log_read > _MOST_LOGGED:
            with suppress(OSError):  # the worker appends, so it goes on at the new end
                os.truncate(self._log, 0)
                self._log_read = 0
        return text


def _explain(exit_code: int | None) -> str:
    if exit_code in _OUT_OF_MEMORY_CODES:
        return (
            "The fusion stopped because its process was killed, perhaps for lack of memory; "
            "close other programs and try again."
        )
    return (
        f"The fusion stopped because its process ended unexpectedly (exit code {exit_code}); "
        "try again, and report the log if it happens again."
    )


def _remove_all(processes: Sequence[LineProcess], folder: Path) -> None:
    for process in processes:
        process.kill()
    shutil.rmtree(folder, ignore_errors=True)
