"""The insertion test: is a lesion that only one scan shows still there in the fused image?"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from volfuse.errors import FusionError
from volfuse.evaluation.selection import Pair, find_pairs
from volfuse.fusion.inferers import FusionInferer
from volfuse.fusion.pipeline import FusionPipeline
from volfuse.metrics import transfer
from volfuse.numerics.lesions import insert_lesions

RADII = (3.0, 9.0)
"""Smallest and largest standard deviation of a lesion, in pixels."""
AMPLITUDE = 0.2
"""Contrast of a lesion, of 0..1."""
PAIRS_PER_TASK = 10

Fuse = nn.Module | Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class SourcePair:
    """Two or more registered images as a network sees them.

    Attributes:
        task: which kind of images.
        name: unique in its task.
        sources: luminance, (N, H, W) or (N, H, W, D), values 0..1, float.
        spacing: size of a voxel along each axis in units of a lesion's radius; ``None`` for 1.
    """

    task: str
    name: str
    sources: Tensor
    spacing: tuple[float, ...] | None = None


@dataclass(frozen=True)
class PlacedLesion:
    """A lesion in one source of a pair.

    Attributes:
        number: counts the lesions of the pair.
        source: index of the one source that has it.
        sign: 1 for a bright lesion, -1 for a dark one.
        radius: its standard deviation.
        center: voxel index of its centre.
        sources: the pair with it, (1, N, H, W) or (1, N, H, W, D).
        difference: what it changed in its source, (1, 1, H, W) or (1, 1, H, W, D).
    """

    number: int
    source: int
    sign: int
    radius: float
    center: tuple[int, ...]
    sources: Tensor
    difference: Tensor


@dataclass(frozen=True)
class LesionRecord:
    """A lesion and what became of it in the fused image.

    Attributes:
        task: which kind of images.
        pair: their name.
        number: counts the lesions of the pair.
        source: index of the one source that has it.
        sign: 1 for a bright lesion, -1 for a dark one.
        radius: its standard deviation.
        amplitude: its contrast, below 0 for a dark one.
        center: voxel index of its centre.
        transfer: T, see :func:`volfuse.metrics.transfer`.
    """

    task: str
    pair: str
    number: int
    source: int
    sign: int
    radius: float
    amplitude: float
    center: tuple[int, ...]
    transfer: float


def insertion_test(
    fuse: Fuse, pairs: Iterable[SourcePair], seed: int = 0, lesions_per_pair: int | None = None
) -> list[LesionRecord]:
    """Put lesions into one source at a time, fuse before and after, and measure what arrives.

    Every model gets the same lesions, on every device; see :func:`place_lesions`.

    Args:
        fuse: a network (B, N, H, W) -> (B, 1, H, W), wherever its weights are; or, to fuse as its bundle says,
            ``functools.partial(inferer, network=network)``.
        pairs: what to put lesions into; :func:`read_pairs` reads a folder of them.
        seed: of the random lesions.
        lesions_per_pair: how many, each by itself; by default a bright and a dark one in each source.

    Returns:
        One record per lesion, in the order of the pairs.

    Raises:
        FusionError: if no pair has a place for any lesion.

    Example:
        >>> half = SourcePair("phantom", "1", torch.full((2, 64, 64), 0.5))
        >>> records = insertion_test(lambda sources: sources.mean(1, keepdim=True), [half])
        >>> [round(record.transfer, 3) for record in records]
        [0.5, 0.5, 0.5, 0.5]
    """
    records = [
        record
        for pair in pairs
        for record in measure_lesions(fuse, pair, place_lesions(pair, seed, lesions_per_pair))
    ]
    if not records:
        raise FusionError(
            "No pair has a place for a lesion: the images are empty or saturated; choose other pairs."
        )
    return records


def place_lesions(pair: SourcePair, seed: int = 0, count: int | None = None) -> list[PlacedLesion]:
    """Draw the lesions of a pair.

    They go through sources and signs in turn: bright and dark in the first, bright and dark in the second, and so
    on; size and place are random, and depend on the seed and the pair's name and content alone. A lesion that fits
    nowhere (a dark one in a source that is dark everywhere) is missing in what is returned, and its number with it.
    """
    lesions = []
    for number in range(count or lesions_in(len(pair.sources))):
        sign, source = (1, -1)[number % 2], number // 2 % len(pair.sources)
        digest = hashlib.sha256(f"{seed}/{number}/{pair.task}/{pair.name}".encode()).digest()
        chance = torch.Generator().manual_seed(int.from_bytes(digest[:6], "big"))
        radius = RADII[0] + (RADII[1] - RADII[0]) * torch.rand(1, generator=chance)
        lesion = insert_lesions(
            pair.sources[None].float(),
            torch.tensor([source]),
            radius,
            torch.tensor([sign * AMPLITUDE]),
            chance,
            pair.spacing,
        )
        if lesion.found:
            center = tuple(lesion.centers[0].tolist())
            lesions.append(
                PlacedLesion(number, source, sign, radius.item(), center, lesion.sources, lesion.difference)
            )
    return lesions


def lesions_in(num_sources: int) -> int:
    """Return how many lesions a pair gets: a bright and a dark one in each of its sources."""
    return 2 * num_sources


@torch.no_grad()
def measure_lesions(fuse: Fuse, pair: SourcePair, lesions: Sequence[PlacedLesion]) -> list[LesionRecord]:
    """Fuse a pair without and with each of its lesions; the arguments are those of :func:`insertion_test`."""
    if isinstance(fuse, nn.Module):
        fuse = partial(FusionInferer(), network=fuse)
    if not lesions:
        return []
    before = fuse(pair.sources[None].float())
    return [
        LesionRecord(
            pair.task,
            pair.name,
            lesion.number,
            lesion.source,
            lesion.sign,
            lesion.radius,
            lesion.sign * AMPLITUDE,
            lesion.center,
            transfer(before, fuse(lesion.sources), lesion.difference).item(),
        )
        for lesion in lesions
    ]


def read_pairs(
    dataset_dir: str | Path, split: str = "test", tasks: Sequence[str] = (), per_task: int = PAIRS_PER_TASK
) -> list[SourcePair]:
    """Read pairs as the default options of a fusion prepare them, the same number of every task.

    Args:
        dataset_dir: a folder as ``volfuse.data.pairs`` describes it.
        split: a name in its ``splits.json``.
        tasks: keys of ``splits.json``; all by default.
        per_task: how many pairs, evenly spread over the split.

    Raises:
        FusionError: if a name is unknown, a file is missing or the split holds no pairs.
    """
    pipeline = FusionPipeline("average", "cpu")  # any: all prepare images alike
    prepared = []
    for pair in evenly(find_pairs(Path(dataset_dir), split, tasks), per_task):
        case = pipeline.steps(len(pair.sources)).prepare(pair.sources)
        prepared.append(as_source_pair(pair, case["image"].as_tensor()))
    return prepared


def as_source_pair(pair: Pair, image: Tensor) -> SourcePair:
    """Return a pair with its luminance (N, H, W, D); one slice is an image."""
    return SourcePair(pair.task, pair.name, image[..., 0] if image.shape[-1] == 1 else image)


def evenly(pairs: Iterable[Pair], per_task: int = PAIRS_PER_TASK) -> list[Pair]:
    """Choose pairs of every task, evenly spread from its first to its last."""
    by_task: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_task.setdefault(pair.task, []).append(pair)
    return [
        own[index]
        for own in by_task.values()
        for index in torch.linspace(0, len(own) - 1, min(per_task, len(own))).round().long().tolist()
    ]
