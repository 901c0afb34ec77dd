"""Tasks in the background: MONAI Label runs one of each kind at a time, in a process of its own."""

from typing import Any

import psutil
from fastapi import APIRouter
from monailabel.utils.async_tasks.task import AsyncTask

from volfuse.label.errors import Busy, NotFound

router = APIRouter(tags=["Tasks"])


def begin_task(kind: str, work: dict[str, Any], run_sync: bool, enqueue: bool = False) -> Any:
    """Begin a task; returns its state, or its result with ``run_sync``.

    Args:
        kind: ``"train"``, ``"scoring"`` or ``"batch_infer"``.
        work: the request, as JSON holds it.
        run_sync: do it in this process, and wait.
        enqueue: wait for a running task of this kind to end instead of refusing.

    Raises:
        Busy: if one of this kind is running.
    """
    answer, _ = AsyncTask.run(kind, request=work, force_sync=run_sync, enqueue=enqueue)
    if answer is None:
        raise Busy("Another task of this kind is running; wait for its end, or stop it.")
    return answer


def stop_task(kind: str) -> Any:
    """Stop a task; returns it, or nothing if none was running."""
    try:
        return AsyncTask.stop(kind)
    except psutil.NoSuchProcess:  # it ended by itself meanwhile
        return None


def stop_all() -> None:
    """Stop every task that is running."""
    for kind in ("train", "scoring", "batch_infer"):
        stop_task(kind)


def _add_routes(kind: str, address: str, name: str, kept: str) -> None:
    @router.get(address, summary=f"How far the {name} is", description=f"Returns the last {name}, or all.")
    def state(all: bool = False, check_if_running: bool = False) -> Any:
        return _state(kind, all, check_if_running)

    @router.delete(address, summary=f"Stop the {name}", description=kept)
    def stop() -> Any:
        return stop_task(kind)


_add_routes("train", "/train/", "training", "Nothing is published.")
_add_routes("scoring", "/scoring/", "scoring", "Scores that are there stay.")
_add_routes("batch_infer", "/batch/infer", "batch", "Results that are there stay.")


def _state(kind: str, every: bool, check_if_running: bool) -> Any:
    answer, _ = AsyncTask.status(kind, every, check_if_running)
    if answer is None:
        raise NotFound("There is no such task; begin one first.")
    # Copies: the thread of the task goes on writing. The last lines are in a deque, which JSON does not know.
    copies = [
        {**task, "details": list(task.get("details", ()))}
        for task in (answer if isinstance(answer, list) else [answer])
    ]
    return copies if isinstance(answer, list) else copies[0]
