"""A child process that exchanges lines of text, never blocks its parent, and ends with everything it started."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import IO

_EXIT_SECONDS = 5.0  # from the end of the output to the end of the process, before it is killed
_KILL_SECONDS = 1.0  # from the signal to the end, while the system frees gigabytes


class LineProcess:
    """A running process whose standard input and output are lines of text.

    Two threads move the lines, so no method waits for the process. It leads a session of its own: no Ctrl-C
    of a terminal reaches it, and the whole session is killed with it, however many launchers lie between.

    Args:
        command: the program and its arguments.
        environment: its environment variables; ``None`` for those of this process.
        log: a file that its standard error is appended to.

    Raises:
        OSError: if it cannot be started.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None, log: Path) -> None:
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        self._outgoing: SimpleQueue[str | None] = SimpleQueue()
        self._incoming: SimpleQueue[str] = SimpleQueue()
        self._over = threading.Event()
        self._was_killed = False
        for move, pipe in ((self._write, self._process.stdin), (self._read, self._process.stdout)):
            threading.Thread(target=move, args=(pipe,), daemon=True).start()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    @property
    def is_over(self) -> bool:
        """Whether it has ended and all its lines are received or wait for :meth:`receive`."""
        return self._over.is_set()

    @property
    def exit_code(self) -> int | None:
        """What it ended with, negative for a signal."""
        return self._process.returncode

    def send(self, line: str) -> None:
        """Write one line to its standard input."""
        self._outgoing.put(line)

    def receive(self) -> list[str]:
        """Return the lines it has written since the last call."""
        return [self._incoming.get() for _ in range(self._incoming.qsize())]

    def kill(self) -> None:
        """End it and everything it started, at once and without asking."""
        if self._was_killed:
            return
        self._was_killed = True
        if sys.platform == "win32":
            subprocess.run(
                ["taskkill", "/PID", str(self.pid), "/T", "/F"],
                check=False,
                capture_output=True,
                creationflags=subprocess.CREATE_NO_WINDOW,
            )
        else:
            with suppress(
                ProcessLookupError, PermissionError
            ):  # macOS raises the second for a group of zombies
                os.killpg(self.pid, signal.SIGKILL)
        self._outgoing.put(None)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_KILL_SECONDS)

    def _write(self, pipe: IO[bytes]) -> None:
        with suppress(OSError), pipe:  # the process has ended, which _read notices
            for line in iter(self._outgoing.get, None):
                pipe.write(line.encode())
                pipe.flush()

    def _read(self, pipe: IO[bytes]) -> None:
        with pipe:
            for line in pipe:
                self._incoming.put(line.decode(errors="replace"))
        with suppress(subprocess.TimeoutExpired):  # let it end by itself: the exit code tells why
            self._process.wait(_EXIT_SECONDS)
        # Now, not later: once it is reaped and its session empty, the number can go to another process.
        self.kill()
        self._over.set()
