"""Calls of the label server that never block Slicer: another process waits for the answers."""

import json
import os
from pathlib import Path
from typing import Any, Protocol

from SlicerFusionLib.worker import environment, python
from volfuse.errors import FusionError
from volfuse.jobs.process import LineProcess
from volfuse.label.client import LabelClient


class Calls(Protocol):
    """What is needed to speak to a label server: every method returns at once."""

    def begin(self, call: str, *arguments: Any) -> None:
        """Begin a call of ``volfuse.label.client.LabelClient``; an answer that is awaited is dropped."""

    def poll(self) -> list[Any]:
        """Return the answer, if it has come, or raise ``FusionError`` with what went wrong."""

    def close(self) -> None:
        """Drop what runs."""


class LabelCalls:
    """Speaks to one server through a process, which is killed with whatever call nobody awaits any more.

    Args:
        url: of the server.
        token: that it gave out.

    Raises:
        FusionError: if ``url`` is not the address of a server, or ``token`` is none.
    """

    def __init__(self, url: str, token: str) -> None:
        LabelClient(url, token)  # checks both
        self._server = {"url": url, "token": token}
        self._process: LineProcess | None = None
        self._waits = False

    def begin(self, call: str, *arguments: Any) -> None:
        if self._waits:
            self.close()
        if self._process is None or self._process.is_over:
            self._process = self._started()
        self._waits = True
        self._process.send(json.dumps({"call": call, "arguments": arguments}) + "\n")

    def poll(self) -> list[Any]:
        if not self._waits:
            return []
        was_over = self._process.is_over  # asked before its last lines are read
        lines = list(self._process.receive())
        if not lines and not was_over:
            return []
        self._waits = False
        if not lines:
            raise FusionError("The connection to the server ended unexpectedly; try again.")
        answer = json.loads(lines[-1])
        if "error" in answer:
            raise FusionError(answer["error"])
        return [answer["answer"]]

    def close(self) -> None:
        if self._process:
            self._process.kill()
        self._process, self._waits = None, False

    def _started(self) -> LineProcess:
        command = [python(), "-P", "-m", "volfuse.label.calls"]
        try:
            process = LineProcess(command, environment(), Path(os.devnull))  # what fails is answered
        except OSError as error:
            raise FusionError(f"{command[0]} could not be started ({error.strerror}).") from error
        process.send(json.dumps(self._server) + "\n")
        return process
