"""The worker that the panel fuses with, and what is needed of it."""

import os
import shutil
import sys
from pathlib import Path
from typing import Protocol

import volfuse
from volfuse.jobs import FusionRequest, FusionWorker, JobEvent


class Worker(Protocol):
    """What is needed of ``volfuse.jobs.FusionWorker``: every method returns at once."""

    folder: Path
    busy: bool

    def start(self) -> None:
        """Start the process, or raise ``FusionError``."""

    def submit(self, request: FusionRequest) -> int:
        """Begin a job."""

    def poll(self) -> list[JobEvent]:
        """Return what has happened since the last call."""

    def cancel(self) -> None:
        """Ask the job to stop."""

    def close(self) -> None:
        """End the process and remove its folder."""


def new_worker() -> FusionWorker:
    """Return a worker that runs in Slicer's own Python, where this very ``volfuse`` is found."""
    return FusionWorker(python(), environment())


def python() -> str:
    """Return the program that runs Slicer's own Python."""
    return shutil.which("PythonSlicer") or sys.executable


def environment() -> dict[str, str]:
    """Return the variables with which that Python finds this very ``volfuse``."""
    paths = [str(Path(volfuse.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
