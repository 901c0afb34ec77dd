"""What a worker may take of the computer while it works on files that came from outside."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

_UNUSED = ("ignite", "itk", "pandas", "skimage", "sklearn", "tensorboard")


@dataclass(frozen=True)
class Limits:
    """Numbers that a worker is started with; 0 limits nothing.

    Attributes:
        memory: bytes that jobs may take beyond what the process holds before the first one. The kernel refuses more,
            and the job fails as for lack of memory. Linux only; elsewhere nothing is limited.
        file_size: bytes of one file that is written. Not on Windows.
        niceness: how far other processes go before this one on the processor, 0 to 19. Not on Windows.
    """

    memory: int = 0
    file_size: int = 0
    niceness: int = 0

    def to_argument(self) -> str:
        """Return one argument for the command line of a worker."""
        return json.dumps(asdict(self))

    @classmethod
    def from_argument(cls, text: str) -> "Limits":
        """Read what :meth:`to_argument` returned."""
        return cls(**json.loads(text))

    def apply(self) -> None:
        """Limit this process for good, counted from what it holds now."""
        if sys.platform == "win32":
            return
        import resource  # noqa: PLC0415 - there is none on Windows

        if self.niceness:
            os.nice(self.niceness)
        if self.file_size:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.file_size, self.file_size))
        if self.memory and sys.platform == "linux":
            most = _held() + self.memory
            resource.setrlimit(resource.RLIMIT_DATA, (most, most))


@contextmanager
def without_unused_packages(*needed: str) -> Iterator[None]:
    """Let MONAI not import what it can use and no fusion does: a third of the time and memory of its import.

    Args:
        needed: which of these packages somebody else needs.
    """
    hidden = [name for name in _UNUSED if name not in (*sys.modules, *needed)]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type] # None: an import fails at once
    try:
        yield
    finally:
        for name in hidden:
            if sys.modules.get(name, ...) is None:
                del sys.modules[name]


def _held() -> int:
    """Return the bytes of private memory that the kernel counts against RLIMIT_DATA."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) << 10
    return 0
