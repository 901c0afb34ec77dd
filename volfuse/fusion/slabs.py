"""A fusion of volumes of any size, some slices at a time: no float volume is held unless it is asked for."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, cast

import torch
from monai.data import MetaTensor
from torch import Tensor

from volfuse.fusion.steps import Case, Steps, notes_of_case, on_grid_of_reference
from volfuse.imaging import Source
from volfuse.imaging.grid import Storage
from volfuse.imaging.slabs import ORIGIN, empty_slices

# About 30 bytes a voxel; with more voxels in a slab it was slower, along any plane (benchmarks/intake.py).
_VOXELS, _FEWEST, _MOST = 1 << 20, 4, 32


@dataclass(frozen=True, kw_only=True)
class FusedImage:
    """A fused image and what is to be told about it.

    Attributes:
        image: uint8, (1, X, Y, Z) or true-colour (3, X, Y, Z), on the reference's grid.
        seconds: how long the steps ``"prepare"``, ``"fuse"`` and ``"restore"`` took.
        contributions: what ``fused`` is the sum of, (K, X, Y, Z), float, on the reference's grid: one map per source in
            their order, and perhaps a last one, of either sign, of what the network adds by itself. ``None`` if they
            were not asked for.
        notes: what was guessed, converted or left out, in sentences for the user.
    """

    image: MetaTensor
    seconds: dict[str, float]
    contributions: MetaTensor | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FusedCase(FusedImage):
    """A fused image with what it was made of.

    Attributes:
        sources: luminance the network saw, (N, H, W, D), float, values 0..1.
        fused: luminance the network returned, (1, H, W, D), float, values 0..1.
    """

    sources: MetaTensor
    fused: MetaTensor


@dataclass
class WholeProgress:
    """Tells of slices of the whole volume what an inferer tells of those of a slab."""

    report: Callable[[int, int], None]
    before: int = 0
    total: int = 0

    def __call__(self, done: int, total: int) -> None:
        """Take the slices done in a slab, and in the whole volume where there are no slabs."""
        self.report(self.before + done, self.total or total)


@dataclass
class _Result:
    """What the slabs of a case become, one after the other."""

    shape: tuple[int, int, int]
    kept: bool
    parts: dict[str, Storage] = field(default_factory=dict)
    luminance: dict[str, Tensor] = field(default_factory=dict)
    meta: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def put(self, start: int, case: Case, returned: Tensor, levels: MetaTensor) -> None:
        self.meta = {name: value for name, value in levels.meta.items() if name != ORIGIN}
        self.notes = notes_of_case(case)
        parts = {"image": levels, "maps": returned[1:]}
        for name, part in parts.items():
            if part.shape[0]:
                if name not in self.parts:
                    self.parts[name] = Storage(part.shape[0], self.shape, part.dtype, levels.meta)
                self.parts[name].put(start, torch.as_tensor(part))
        for name, part in {"sources": case["image"], "fused": returned[:1]}.items() if self.kept else ():
            if name not in self.luminance:
                self.luminance[name] = empty_slices(part.shape[0], self.shape)
            self.luminance[name][..., start : start + part.shape[-1]] = part


def fuse_in_slabs(
    steps: Steps,
    sources: Sequence[Source],
    batch_size: int,
    progress: WholeProgress | None,
    kept: bool,
) -> FusedImage:
    """Fuse images, with slices ``batch_size`` at a time; a :class:`FusedCase` if the luminance is to be ``kept``."""
    seconds: dict[str, float] = {}
    with timed(seconds, "prepare"):
        opened = steps.open(sources)
    result = _Result(opened.shape, kept)
    depth = opened.shape[-1]
    length = slab_length(opened.shape, batch_size)
    for start in range(0, depth, length):
        if progress:
            progress.before, progress.total = start, depth
        with timed(seconds, "prepare"):
            case = opened.slab(start, min(start + length, depth))
        with timed(seconds, "fuse"):
            returned = steps.fuse(case)
        with timed(seconds, "restore"):
            levels = steps.levels(case, returned[:1])
            result.put(start, case, returned, levels)
        del case, returned, levels  # or they would wait while the next ones are made
    maps = result.parts.get("maps")
    fused = FusedImage(
        image=result.parts["image"].image(result.meta),
        seconds=seconds,
        contributions=maps.image(result.meta) if maps else None,
        notes=result.notes,
    )
    if not kept:
        return fused
    sources_seen, luminance = (
        MetaTensor(result.luminance[name], meta=dict(result.meta)) for name in ("sources", "fused")
    )
    return FusedCase(**vars(fused), sources=sources_seen, fused=luminance)


def slab_length(shape: tuple[int, int, int], batch_size: int) -> int:
    """Return how many slices of a volume H, W, D make a slab: whole batches, whose size shows in the last digits."""
    height, width, _ = shape
    wanted = min(max(_VOXELS // (height * width), _FEWEST), _MOST)
    return -(-wanted // batch_size) * batch_size


def fuse_at_once(steps: Steps, sources: Sequence[Source]) -> FusedCase:
    """Fuse images as a configuration says of which one cannot know what it does with neighbouring slices."""
    seconds: dict[str, float] = {}
    with timed(seconds, "prepare"):
        case = steps.prepare(sources)
    with timed(seconds, "fuse"):
        returned = steps.fuse(case)
    with timed(seconds, "restore"):
        fused = cast(MetaTensor, returned[:1])  # see Steps.fuse
        image = steps.restore(case, fused)
        maps = on_grid_of_reference(returned[1:]) if returned.shape[0] > 1 else None
    return FusedCase(
        image=image,
        seconds=seconds,
        contributions=maps,
        notes=notes_of_case(case),
        sources=case["image"],
        fused=fused,
    )


@contextmanager
def timed(seconds: dict[str, float], step: str) -> Iterator[None]:
    """Add to ``seconds`` how long a step took."""
    start = perf_counter()
    yield
    seconds[step] = seconds.get(step, 0.0) + perf_counter() - start
