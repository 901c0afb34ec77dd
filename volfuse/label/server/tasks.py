"""Tasks in the background: one of each kind at a time, in a process of its own that ends with the server."""

import asyncio
import json
import os
import sys
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request

from volfuse.errors import FusionError
from volfuse.jobs.limits import Limits
from volfuse.jobs.process import LineProcess
from volfuse.label.background import KINDS, RESULT
from volfuse.label.errors import Busy, NotFound
from volfuse.label.layout import Layout
from volfuse.label.progress import read_progress
from volfuse.label.server.answers import unless_hung_up

_LINES = 20
_REMEMBERED = 20
_MOST_WAITING = 8
_BETWEEN_POLLS = 0.1  # seconds

router = APIRouter(tags=["Tasks"])


def _now() -> str:
    return datetime.now().strftime("%Y-%m-%d %H:%M:%S")


@dataclass
class Task:
    """A task as MONAI Label's clients know it; ``progress``, ``result`` and ``error`` are ours.

    Attributes:
        request: what is done, as JSON holds it.
        id: tells it from all others.
        status: ``"SUBMITTED"``, ``"RUNNING"``, then ``"DONE"``, ``"ERROR"`` or ``"STOPPED"``.
        start_ts: when it was asked for, local time.
        end_ts: when it ended.
        details: the last lines of its log.
        progress: how far it is.
        result: what came out.
        error: why nothing did, in one sentence.
    """

    request: dict[str, Any]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "SUBMITTED"
    start_ts: str = field(default_factory=_now)
    end_ts: str = ""
    details: deque[str] = field(default_factory=lambda: deque(maxlen=_LINES))
    progress: dict[str, int] = field(default_factory=lambda: {"done": 0, "total": 0})
    result: Any = None
    error: str = ""

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return bool(self.end_ts)

    def to_json(self) -> dict[str, Any]:
        """Return it as it is answered."""
        return {**vars(self), "details": list(self.details)}

    def read(self, line: str) -> None:
        """Take in a line of its process."""
        if line.startswith(RESULT):
            outcome = json.loads(line.removeprefix(RESULT))
            self.result, self.error = outcome.get("result"), outcome.get("error", "")
        elif line:
            self.details.append(line)
            self.progress = read_progress(line) or self.progress

    def end(self, status: str) -> None:
        """Note how it ended."""
        self.status, self.end_ts = status, _now()


class Tasks:
    """The tasks of a server. Used from the thread of its event loop.

    Args:
        layout: the folders of the server.
        conf: see :class:`volfuse.label.application.FusionApp`.
        limits: what one may take of the computer.
    """

    def __init__(self, layout: Layout, conf: Mapping[str, str], limits: Limits) -> None:
        self._layout = layout
        self._command = {"studies": str(layout.studies), "conf": dict(conf), "limits": limits.to_argument()}
        self._known: dict[str, deque[Task]] = {kind: deque(maxlen=_REMEMBERED) for kind in KINDS}
        self._waiting: dict[str, deque[Task]] = {kind: deque() for kind in KINDS}
        self._loops: dict[str, asyncio.Task[None]] = {}
        self._processes: dict[str, LineProcess] = {}

    async def begin(
        self, kind: str, work: dict[str, Any], request: Request | None = None, enqueue: bool = False
    ) -> Any:
        """Begin a task; returns its state, or its result.

        Args:
            kind: one of :data:`volfuse.label.background.KINDS`.
            work: what is done.
            request: of a client that waits for the result; the task is stopped when it hangs up.
            enqueue: wait for a running task of this kind to end instead of refusing.

        Raises:
            Busy: if one of this kind is running.
            FusionError: if the result is waited for, and there is none.
        """
        if kind in self._loops and (not enqueue or len(self._waiting[kind]) >= _MOST_WAITING):
            raise Busy("Another task of this kind is running; wait for its end, or stop it.")
        task = Task(work)
        self._known[kind].append(task)
        self._waiting[kind].append(task)
        if kind not in self._loops:
            self._loops[kind] = asyncio.create_task(self._work(kind))
        if request is None:
            return task.to_json()
        try:
            await unless_hung_up(request, _ended(task))
        finally:
            if not task.is_over:
                await self.stop(kind)
        if task.status != "DONE":
            raise FusionError(task.error or "The task was stopped.")
        return task.result

    async def stop(self, kind: str) -> dict[str, Any] | None:
        """Stop what runs of a kind, and what waits behind it; returns the task, or nothing if none was running."""
        task = self._running(kind)
        if task is None:
            return None
        for each in (task, *self._waiting[kind]):
            each.end("STOPPED")
        self._waiting[kind].clear()
        if process := self._processes.get(kind):
            await asyncio.to_thread(process.kill)
        return task.to_json()

    async def close(self) -> None:
        """Stop everything."""
        for kind in KINDS:
            await self.stop(kind)
        await asyncio.gather(*self._loops.values(), return_exceptions=True)

    def state(self, kind: str, every: bool, check_if_running: bool) -> Any:
        """Return the last task of a kind, all of them, or the one that runs.

        Raises:
            NotFound: if there is none.
        """
        tasks = list(self._known[kind])
        if check_if_running:
            tasks = [task for task in (self._running(kind),) if task]
        if not tasks:
            raise NotFound("There is no such task; begin one first.")
        return [task.to_json() for task in tasks] if every else tasks[-1].to_json()

    def _running(self, kind: str) -> Task | None:
        return next((task for task in self._known[kind] if not task.is_over), None)

    async def _work(self, kind: str) -> None:
        try:
            while self._waiting[kind]:
                await self._do(kind, self._waiting[kind].popleft())
        finally:
            del self._loops[kind]

    async def _do(self, kind: str, task: Task) -> None:
        log = self._layout.workers / f"{kind}.log"
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            log.unlink(missing_ok=True)
            command = [sys.executable, "-P", "-u", "-m", "volfuse.label.background"]
            process = LineProcess(command, self._environment(), log)
        except OSError:
            task.error = "The server cannot write to its disk; tell whoever runs it."
            task.end("ERROR")
            return
        self._processes[kind] = process
        task.status = "RUNNING"
        process.send(json.dumps({"kind": kind, "request": task.request, **self._command}) + "\n")
        try:
            is_over = False
            while not is_over:
                is_over = process.is_over  # asked before its last lines are read
                for line in process.receive():
                    # Where the studies folder is is not for clients.
                    task.read(line.rstrip().replace(f"{self._layout.studies}/", ""))
                await asyncio.sleep(0 if is_over else _BETWEEN_POLLS)
        finally:
            await asyncio.to_thread(process.kill)
            del self._processes[kind]
        if not task.is_over:
            is_done = process.exit_code == 0 and not task.error
            if not is_done and not task.error:
                task.error = "The task ended unexpectedly; its log is in fusion/workers."
            task.end("DONE" if is_done else "ERROR")

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "TMPDIR": str(self._layout.workers)}


def tasks_of(request: Request) -> Tasks:
    """Return the tasks of the server."""
    tasks: Tasks = request.app.state.tasks
    return tasks


async def _ended(task: Task) -> None:
    while not task.is_over:
        await asyncio.sleep(_BETWEEN_POLLS)


def _add_routes(kind: str, address: str, name: str, kept: str) -> None:
    @router.get(address, summary=f"How far the {name} is", description=f"Returns the last {name}, or all.")
    async def state(request: Request, all: bool = False, check_if_running: bool = False) -> Any:
        return tasks_of(request).state(kind, all, check_if_running)

    @router.delete(address, summary=f"Stop the {name}", description=kept)
    async def stop(request: Request) -> Any:
        return await tasks_of(request).stop(kind)


_add_routes("train", "/train/", "training", "Nothing is published.")
_add_routes("scoring", "/scoring/", "scoring", "Scores that are there stay.")
_add_routes("batch_infer", "/batch/infer", "batch", "Results that are there stay.")
