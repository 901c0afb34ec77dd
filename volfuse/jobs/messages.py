"""What a client and its worker say to each other: a request, and events about it, one JSON object a line."""

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from volfuse.errors import FusionError
from volfuse.fusion.options import FusionOptions

Kind = Literal["started", "progress", "finished", "failed", "cancelled"]
Cause = Literal["", "memory", "storage"]


@dataclass(frozen=True)
class FusionRequest:
    """One fusion, in words and numbers alone.

    Args:
        sources: image files or DICOM folders; the first is the reference.
        output: the file to write, inside ``FusionWorker.folder``.
        model: a name in the catalogue.
        options: how they are fused; as a dictionary they are read by name.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ...
        metrics: names in ``volfuse.metrics.METRICS`` to measure the result with.
        compress: write it compressed where the format leaves the choice, which is slower.

    Raises:
        FusionError: if a value has the wrong type. Lists are taken where tuples are named.
    """

    sources: tuple[str, ...]
    output: str
    model: str
    options: FusionOptions = FusionOptions()  # noqa: RUF009 - it does not change
    device: str = "auto"
    metrics: tuple[str, ...] = ()
    compress: bool = False

    @property
    def contribution_files(self) -> list[Path]:
        """Where contributions are written if they are asked for, in float32 grey levels of the fused image (0..255).

        One file per source in their order, and one for what the network adds by itself, which not all networks do.
        """
        output = Path(self.output)
        stem, dot, suffix = output.name.partition(".")
        return [
            output.with_name(f"{stem}_contribution{number}{dot}{suffix}")
            for number in range(len(self.sources) + 1)
        ]

    def __post_init__(self) -> None:
        """Check the type of every value."""
        for name, (is_valid, expected) in _EXPECTED.items():
            value = getattr(self, name)
            value = tuple(value) if isinstance(value, list) else value
            if not is_valid(value):
                raise FusionError(f"'{name}' of a fusion request must be {expected}, not {value!r:.60}.")
            object.__setattr__(self, name, value)

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary that ``json.dumps`` takes."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "FusionRequest":
        """Read what :meth:`to_json` returned.

        Raises:
            FusionError: for an unknown or missing key, or a value of the wrong type.
        """
        if unknown := [name for name in data if name not in _EXPECTED]:
            raise FusionError(f"A fusion request has no entry '{unknown[0]}'; use {', '.join(_EXPECTED)}.")
        for entry in fields(cls):
            if entry.default is MISSING and entry.name not in data:
                raise FusionError(f"The fusion request lacks '{entry.name}', {_EXPECTED[entry.name][1]}.")
        options = data.get("options", {})
        if not isinstance(options, Mapping):
            raise FusionError(
                f"'options' of a fusion request must be {_EXPECTED['options'][1]}, not {options!r:.60}."
            )
        return cls(**{**data, "options": FusionOptions.from_json(options)})


@dataclass(frozen=True)
class JobEvent:
    """What happened to a job.

    Attributes:
        job: the number ``FusionWorker.submit`` returned.
        kind: ``"started"``, ``"progress"``, then one of ``"finished"``, ``"failed"`` and ``"cancelled"``.
        step: of progress: ``"fuse"``, or ``"measure"`` while metrics are computed.
        done: of progress: slices done in this step.
        total: of progress: slices in all.
        seconds_left: of progress: estimated from the slices after the first; ``None`` for the first.
        result: of a finished job: ``output``, ``model``, ``version``, ``weights_sha256`` (``None`` for a rule
            without weights), ``device``, ``metrics`` (name to mean, ``None`` where a metric is not defined) and
            ``seconds`` per step (``load``, ``prepare``, ``fuse``, ``restore``, ``measure``, ``write``),
            ``contributions``: those of ``FusionRequest.contribution_files`` that were written, and ``notes``: what the
            user should know, in sentences.
        message: of a failed job: one sentence for the user.
        lacks_packages: of a failed job: whether a Python package is missing or does not load.
        cause: of a failed job: what the computer lacked, ``"memory"`` or ``"storage"``; empty if it was not that.
    """

    job: int
    kind: Kind
    step: Literal["", "fuse", "measure"] = ""
    done: int = 0
    total: int = 0
    seconds_left: float | None = None
    result: dict[str, Any] = field(default_factory=dict)
    message: str = ""
    lacks_packages: bool = False
    cause: Cause = ""

    def to_line(self) -> str:
        """Return the event as one line of JSON."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: str) -> "JobEvent":
        """Read what :meth:`to_line` wrote.

        Raises:
            ValueError: if the line is anything else.
        """
        data = json.loads(line)
        if not isinstance(data, dict) or data.keys() != {entry.name for entry in fields(cls)}:
            raise ValueError("not the entries of an event")
        if data["kind"] not in get_args(Kind):
            raise ValueError(f"unknown kind of event: {data['kind']}")
        return cls(**data)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _are_texts(value: Any) -> bool:
    return isinstance(value, tuple) and all(map(_is_text, value))


_EXPECTED: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "sources": (_are_texts, "a list of file names"),
    "output": (_is_text, "a file name"),
    "model": (_is_text, "the name of a model"),
    "options": (lambda value: isinstance(value, FusionOptions), "options by name"),
    "device": (_is_text, "the name of a device"),
    "metrics": (_are_texts, "a list of metric names"),
    "compress": (lambda value: isinstance(value, bool), "true or false"),
}
