"""Where fusions wait and run: a lane for pictures and one for volumes, a worker process each.

Everything that came from outside is decoded in these processes, which may take so much memory, time and disk and no
more, and which are killed where they do not end by themselves.
"""

import asyncio
import os
import shutil
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from volfuse.errors import FusionError, StorageError
from volfuse.jobs import FusionWorker, JobEvent, Limits
from volfuse.label.errors import Busy
from volfuse.label.infer import failure_of
from volfuse.label.memory import Memory

_BETWEEN_POLLS = 0.02  # seconds


@dataclass
class _Job:
    """A job with whoever waits for it.

    Attributes:
        begin: submits it to a worker.
        target: the folder that takes what it writes; ``None`` if it writes nothing.
        ticket: by which its place in the queue is asked for; may be empty.
        done: its result; cancelled when nobody wants it any more.
    """

    begin: Callable[[FusionWorker], int]
    target: Path | None
    ticket: str
    done: "asyncio.Future[dict[str, Any]]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Lane:
    """Jobs that one worker does one after another. Used from the thread of one event loop.

    Args:
        folder: where the worker keeps its files.
        limits: of its process.
        most_waiting: how many jobs may wait.
        seconds: how long one may take.
    """

    def __init__(self, folder: Path, limits: Limits, most_waiting: int, seconds: float) -> None:
        self._folder = folder
        self._limits = limits
        self._most_waiting = most_waiting
        self._seconds = seconds
        self._waiting: deque[_Job] = deque()
        self._running: _Job | None = None
        self._worker: FusionWorker | None = None
        self._loop: asyncio.Task[None] | None = None
        self._took = 1.0  # seconds; a running mean

    async def run(
        self, begin: Callable[[FusionWorker], int], target: Path | None = None, ticket: str = ""
    ) -> dict[str, Any]:
        """Do a job; when the caller is cancelled, so is the job, wherever it is.

        Args:
            begin: submits it to the worker it is given.
            target: a folder for the file that it writes.
            ticket: see :meth:`position`.

        Returns:
            The result of the job; ``output`` is the file in ``target``.

        Raises:
            Busy: if too many jobs wait.
            FusionError: one sentence on what is wrong with the images, or how the job ended.
            MemoryError: if they take more memory than the worker may.
        """
        self._waiting = deque(job for job in self._waiting if not job.done.cancelled())
        if len(self._waiting) >= self._most_waiting:
            seconds = max(1, round(self._took * len(self._waiting)))
            raise Busy(f"{len(self._waiting)} fusions wait already; ask again in about {seconds} s.", seconds)
        job = _Job(begin, target, ticket)
        self._waiting.append(job)
        if self._loop is None or self._loop.done():
            self._loop = asyncio.create_task(self._work())
        return await job.done

    def position(self, ticket: str) -> int | None:
        """Return how many jobs are before that with a ticket: 0 for the one that runs, ``None`` if there is none."""
        in_order = [*([self._running] if self._running else []), *self._waiting]
        wanted = [job for job in in_order if not job.done.done()]
        return next((place for place, job in enumerate(wanted) if job.ticket == ticket), None)

    @property
    def counts(self) -> dict[str, int]:
        """How many jobs run and wait."""
        waiting = sum(not job.done.done() for job in self._waiting)
        return {"running": int(self._running is not None), "waiting": waiting}

    async def close(self) -> None:
        """End the worker; jobs that wait are cancelled."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        for job in self._waiting:
            job.done.cancel()
        if self._worker is not None:
            await asyncio.to_thread(self._worker.close)
            self._worker = None

    async def _work(self) -> None:
        """Do what waits; ends when nothing does."""
        while self._waiting:
            job = self._waiting.popleft()
            if job.done.done():
                continue
            self._running = job
            begun = time.monotonic()
            try:
                result = await self._do(job)
            except asyncio.CancelledError:
                job.done.cancel()
                raise
            except Exception as error:
                if not job.done.done():
                    job.done.set_exception(error)
            else:
                if not job.done.done():
                    job.done.set_result(result)
            finally:
                self._running = None
                self._took += 0.2 * (time.monotonic() - begun - self._took)

    async def _do(self, job: _Job) -> dict[str, Any]:
        if self._worker is None:
            self._worker = await asyncio.to_thread(self._start)
        worker = self._worker
        job.begin(worker)
        deadline = time.monotonic() + self._seconds
        while True:
            # A thread, because killing a process with much memory takes a moment.
            for event in await asyncio.to_thread(worker.poll):
                if event.kind in ("finished", "failed", "cancelled"):
                    return self._end(job, event)
            if job.done.done() or time.monotonic() > deadline:
                worker.cancel()
            await asyncio.sleep(_BETWEEN_POLLS)

    def _start(self) -> FusionWorker:
        threads = os.environ.get("OMP_NUM_THREADS") or str(os.cpu_count() or 1)
        # Small blocks of memory that many threads keep for themselves would count against the limit.
        environment = os.environ | {"OMP_NUM_THREADS": threads, "MALLOC_ARENA_MAX": "2"}
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            return FusionWorker(environment=environment, limits=self._limits, parent=self._folder)
        except OSError as error:
            raise StorageError("A worker has no place for its files.") from error

    def _end(self, job: _Job, event: JobEvent) -> dict[str, Any]:
        if event.kind == "failed":
            raise failure_of(event)
        if event.kind == "cancelled":
            raise FusionError(
                f"The fusion took more than {self._seconds:.0f} s and was stopped; "
                "crop the images, or choose a quicker model."
            )
        result = dict(event.result)
        if job.target is not None:
            output = Path(result["output"])
            if job.done.done():
                output.unlink(missing_ok=True)
            else:
                result["output"] = shutil.move(output, job.target / output.name)
        return result


class Lanes:
    """Both lanes of a server: pictures never wait for volumes.

    Args:
        folder: where the workers keep their files.
        memory: what they may take.
    """

    def __init__(self, folder: Path, memory: Memory) -> None:
        self.memory = memory
        self.pictures = Lane(folder, memory.picture_limits, most_waiting=64, seconds=120)
        self.volumes = Lane(folder, memory.volume_limits, most_waiting=16, seconds=900)

    def of(self, are_pictures: bool) -> Lane:
        """Return the lane for pictures, or that for volumes."""
        return self.pictures if are_pictures else self.volumes

    async def close(self) -> None:
        """End both workers."""
        await asyncio.gather(self.pictures.close(), self.volumes.close())
