"""The worker: ``python -m volfuse.jobs`` runs the commands on its standard input until that ends.

An argument, if there is one, holds its limits (see ``volfuse.jobs.limits``).

A thread reads them all the time, so a cancel or the end of the parent is noticed during a fusion.
"""

import faulthandler
import json
import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TextIO

from volfuse.errors import TOO_LITTLE_MEMORY, FusionCancelled, FusionError, StorageError
from volfuse.jobs.limits import Limits, without_unused_packages
from volfuse.jobs.messages import Cause, FusionRequest, JobEvent

_logger = logging.getLogger("volfuse.jobs")


class Inbox:
    """The commands of the client, one JSON object a line; when they end, the client is gone."""

    def __init__(self, commands: TextIO) -> None:
        self.jobs: SimpleQueue[tuple[int, dict[str, Any]]] = SimpleQueue()
        self._commands = commands
        self._folder: Path | None = None
        self._cancelled: set[int] = set()
        threading.Thread(target=self._listen, daemon=True).start()

    def is_cancelled(self, job: int) -> bool:
        """Tell whether the client has cancelled a job."""
        return job in self._cancelled

    def _listen(self) -> None:
        for line in self._commands:
            try:
                self._handle(json.loads(line))
            except ValueError as error:
                _logger.warning("A command is not understood (%s): %.200s", error, line)
        _exit(self._folder)

    def _handle(self, command: Any) -> None:
        match command:
            case {"command": "remove_at_exit", "folder": str(folder)}:
                self._folder = Path(folder)
            case {"command": "fuse" | "check", "job": int(job), "request": dict()}:
                self.jobs.put((job, command))
            case {"command": "cancel", "job": int(job)}:
                self._cancelled.add(job)
            case _:
                raise ValueError("no such command")


def main() -> None:
    """Answer jobs one after another; never returns."""
    limits = Limits.from_argument(sys.argv[1]) if len(sys.argv) > 1 else Limits()
    commands, replies = _private_streams()
    faulthandler.enable()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    inbox = Inbox(commands)

    def report(event: JobEvent) -> None:
        with suppress(OSError):  # the client is gone, so the inbox is about to end this process
            replies.write(event.to_line())

    with suppress(Exception), without_unused_packages():  # the answer to the first job says what is wrong
        import volfuse.jobs.fusion  # noqa: F401, PLC0415 - torch loads while the inbox listens already
    limits.apply()
    while True:
        job, command = inbox.jobs.get()
        report(JobEvent(job, "started"))
        report(_answer(job, command, report, partial(inbox.is_cancelled, job)))


def _answer(
    job: int,
    command: dict[str, Any],
    report: Callable[[JobEvent], None],
    should_stop: Callable[[], bool],
) -> JobEvent:
    """Do a job and return its last event."""
    try:
        from volfuse.jobs.fusion import check, run  # noqa: PLC0415 - see main
    except Exception as error:
        _logger.exception("The packages do not load:")
        return JobEvent(job, "failed", message=_why_not_loaded(error), lacks_packages=True)
    try:
        if command["command"] == "check":
            result = check(command["request"]["source"])
        else:
            result = run(job, FusionRequest.from_json(command["request"]), report, should_stop)
        return JobEvent(job, "finished", result=result)
    except FusionCancelled:
        return JobEvent(job, "cancelled")
    except Exception as error:
        _logger.exception("Job %d failed:", job)
        message, cause = _sentence(error)
        return JobEvent(job, "failed", message=message, cause=cause)


def _why_not_loaded(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"The Python package {error.name} is missing; install it and try again."
    first_line = str(error).strip().partition("\n")[0]
    return f"The Python packages do not load ({first_line or type(error).__name__}); install them again."


def _sentence(error: Exception) -> tuple[str, Cause]:
    match error:
        case StorageError():
            return str(error), "storage"
        case FusionError():
            return str(error), ""
        case MemoryError():
            return TOO_LITTLE_MEMORY, "memory"
    return (
        f"The fusion failed unexpectedly ({type(error).__name__}); "
        "try again, and report the log if it happens again."
    ), ""


def _private_streams() -> tuple[TextIO, TextIO]:
    """Keep standard input and output for the messages; what libraries print goes to the log."""
    commands = os.fdopen(os.dup(0), encoding="utf-8", errors="replace")
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    with suppress(OSError):
        replies.write("\n")  # ends a line that was printed before without its end
    return commands, replies


def _exit(folder: Path | None) -> None:
    """End this process at once, and remove the folder of a client that is gone."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):  # the log: Windows removes no open file
        os.dup2(nowhere, descriptor)
    deadline = time.monotonic() + 2
    while (
        folder and folder.exists() and time.monotonic() < deadline
    ):  # a file can appear while the folder is emptied
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    main()
