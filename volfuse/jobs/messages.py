"""What a client and its worker say to each other: a request, and events about it, one JSON object a line."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from volfuse.errors import FusionError

Kind = Literal["started", "progress", "finished", "failed", "cancelled"]


@dataclass(frozen=True)
class FusionRequest:
    """One fusion, in words and numbers alone.

    Args:
        sources: image files or DICOM folders; the first is the reference.
        output: the file to write, inside ``FusionWorker.folder``.
        model: a name in the catalogue.
        windows: nothing, or intensity windows as ``FusionOptions`` takes them in text, or (low, high) in
            source values; one for all sources or one each.
        colormaps: nothing, or per source ``None`` (grey), a matplotlib name or 256 RGB rows (0..1, or
            integers 0..255).
        plane: the slices that are fused: ``"axial"``, ``"coronal"`` or ``"sagittal"``.
        batch_size: slices at a time; ``None`` chooses by device.
        mixed_precision: let a network compute in bfloat16 on a GPU.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ...
        metrics: names in ``volfuse.metrics.METRICS`` to measure the result with.
        contributions: also write what each source adds; see :attr:`contribution_files`.

    Raises:
        FusionError: if a value has the wrong type. Lists are taken where tuples are named.
    """

    sources: tuple[str, ...]
    output: str
    model: str
    windows: tuple[str | tuple[float, float], ...] | None = None
    colormaps: tuple[str | tuple[tuple[float, float, float], ...] | None, ...] | None = None
    plane: str = "axial"
    batch_size: int | None = None
    mixed_precision: bool = True
    device: str = "auto"
    metrics: tuple[str, ...] = ()
    contributions: bool = False

    @property
    def contribution_files(self) -> list[Path]:
        """Where contributions are written, in float32 grey levels of the fused image (0..255).

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
            value = _as_tuples(getattr(self, name))
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
        return cls(**data)


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
            ``seconds`` per step (``load``, ``prepare``, ``fuse``, ``restore``, ``measure``, ``write``), and
            ``contributions``: those of ``FusionRequest.contribution_files`` that were written.
        message: of a failed job: one sentence for the user.
    """

    job: int
    kind: Kind
    step: Literal["", "fuse", "measure"] = ""
    done: int = 0
    total: int = 0
    seconds_left: float | None = None
    result: dict[str, Any] = field(default_factory=dict)
    message: str = ""

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


def _as_tuples(value: Any) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, list | tuple) else value


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_window(value: Any) -> bool:
    return _is_text(value) or (isinstance(value, tuple) and len(value) == 2 and all(map(_is_number, value)))


def _is_color(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 3 and all(map(_is_number, value))


def _is_colormap(value: Any) -> bool:
    is_table = isinstance(value, tuple) and len(value) == 256 and all(map(_is_color, value))
    return value is None or _is_text(value) or is_table


def _each(is_valid: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, tuple) and all(map(is_valid, value))


def _optional(is_valid: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or is_valid(value)


_EXPECTED: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "sources": (_each(_is_text), "a list of file names"),
    "output": (_is_text, "a file name"),
    "model": (_is_text, "the name of a model"),
    "windows": (_optional(_each(_is_window)), "nothing or a list of window names and (low, high) pairs"),
    "colormaps": (
        _optional(_each(_is_colormap)),
        "nothing or a list of colour map names, tables of 256 RGB rows and None",
    ),
    "plane": (_is_text, "the name of a slice plane"),
    "batch_size": (_optional(lambda value: type(value) is int), "nothing or a whole number"),
    "mixed_precision": (lambda value: isinstance(value, bool), "true or false"),
    "device": (_is_text, "the name of a device"),
    "metrics": (_each(_is_text), "a list of metric names"),
    "contributions": (lambda value: isinstance(value, bool), "true or false"),
}
