"""A worker that says what a test writes down, in place of ``volfuse.jobs.FusionWorker``."""

from collections import deque
from pathlib import Path

import torch
from monai.data import MetaTensor

from volfuse.imaging import read_image, write_image
from volfuse.jobs import FusionRequest, JobEvent


class ScriptedWorker:
    """A worker without a process: ``say`` is what it reports next."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.starts = 0
        self.requests: list[FusionRequest] = []
        self.busy = self.was_cancelled = self.is_closed = False
        self._events: deque[JobEvent] = deque()

    def start(self) -> None:
        self.starts += 1

    def submit(self, request: FusionRequest) -> int:
        self.requests.append(request)
        self.busy = True
        return len(self.requests)

    def poll(self) -> list[JobEvent]:
        events = list(self._events)
        self._events.clear()
        return events

    def cancel(self) -> None:
        self.was_cancelled = True

    def close(self) -> None:
        self.is_closed = True

    def say(self, kind: str, **entries: object) -> None:
        self.busy = kind in ("started", "progress")
        self._events.append(JobEvent(len(self.requests), kind, **entries))

    def finish(self, *notes: str) -> None:
        """Fuse: the reference itself, as 8 bit, to which it adds 75 %, the second 50 % and the model -25 %."""
        request = self.requests[-1]
        image = read_image(request.sources[0])
        levels = (image / image.max() * 255).to(torch.uint8)
        write_image(MetaTensor(levels, meta=image.meta), Path(request.output))
        contributions = [
            str(write_image(MetaTensor(part, meta=image.meta), file))
            for part, file in zip(
                (levels * 0.75, levels * 0.5, levels * -0.25), request.contribution_files, strict=True
            )
            if request.options.contributions
        ]
        self.say(
            "finished",
            result={
                "output": request.output,
                "model": request.model,
                "version": "1.2",
                "weights_sha256": "ab12",
                "device": "cpu",
                "metrics": {"ssim": 0.75, "qabf": None},
                "seconds": {"load": 1.0, "fuse": 2.0},
                "contributions": contributions,
                "notes": list(notes),
            },
        )
