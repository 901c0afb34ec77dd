"""The insertion test: is a lesion that only one scan shows still there in the fused image?"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from volfuse.errors import FusionError
from volfuse.evaluation.selection import Pair, find_pairs
from volfuse.fusion.pipeline import FusionOptions, plain_errors
from volfuse.metrics import transfer
from volfuse.models import find
from volfuse.numerics.lesions import Lesions, insert_lesions

RADII = (3.0, 9.0)
"""Smallest and largest standard deviation of a lesion, in pixels."""
AMPLITUDE = 0.2
"""Contrast of a lesion, of 0..1."""
PAIRS_PER_TASK = 10
LESIONS_PER_PAIR = 4

_logger = logging.getLogger(__name__)


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
class LesionRecord:
    """One lesion and what became of it.

    Attributes:
        task: which kind of images.
        pair: their name.
        source: index of the one source that has it.
        sign: 1 for a bright lesion, -1 for a dark one.
        radius: its standard deviation.
        amplitude: its contrast, without sign.
        center: voxel index of its centre.
        transfer: T, see :func:`volfuse.metrics.transfer`.
    """

    task: str
    pair: str
    source: int
    sign: int
    radius: float
    amplitude: float
    center: tuple[int, ...]
    transfer: float


def insertion_test(
    fuse: Callable[[Tensor], Tensor],
    pairs: Iterable[SourcePair],
    seed: int = 0,
    lesions_per_pair: int = LESIONS_PER_PAIR,
) -> list[LesionRecord]:
    """Put lesions into one source at a time, fuse before and after, and measure what arrives.

    The lesions of a pair go through sources and signs in turn: bright and dark in the first, bright and dark in the
    second, and so on; size and place are drawn. They depend on ``seed`` and the pair alone: every model gets the
    same, on every device. A lesion that fits nowhere (a dark one in a source that is dark everywhere) is left out
    and logged.

    Args:
        fuse: ``fuse(sources (1, N, H, W) or (1, N, H, W, D)) -> (1, 1, ...)``: a network, or with the steps of its
            bundle, which volumes need, ``functools.partial(inferer, network=network)``.
        pairs: what to put lesions into; :func:`read_pairs` reads a folder of them.
        seed: of the random lesions.
        lesions_per_pair: how many, each by itself.

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
    records = []
    for pair in pairs:
        before = None
        for number in range(lesions_per_pair):
            sign, source = (1, -1)[number % 2], number // 2 % len(pair.sources)
            radius, lesion = draw_lesion(pair, source, sign, f"{seed}/{number}")
            if not lesion.found:
                word = "bright" if sign > 0 else "dark"
                _logger.warning("%s/%s: source %d has no place for a %s lesion of radius %.1f",
                                pair.task, pair.name, source, word, radius)  # fmt: skip
                continue
            with torch.no_grad():
                before = fuse(pair.sources[None]) if before is None else before
                value = transfer(before.cpu(), fuse(lesion.sources).cpu(), lesion.difference).item()
            center = tuple(lesion.centers[0].tolist())
            records.append(LesionRecord(pair.task, pair.name, source, sign, radius, AMPLITUDE, center, value))
    if not records:
        raise FusionError(
            "No pair has a place for a lesion: the images are empty or saturated; choose other pairs."
        )
    return records


def draw_lesion(pair: SourcePair, source: int, sign: int, seed: str) -> tuple[float, Lesions]:
    """Draw the size and the place of one lesion, from ``seed`` and the name of the pair.

    Args:
        pair: what gets it.
        source: index of the source that gets it.
        sign: 1 for a bright lesion, -1 for a dark one.
        seed: any text.

    Returns:
        Its radius, and the lesion in a batch of one.
    """
    digest = hashlib.sha256(f"{seed}/{pair.task}/{pair.name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:6], "big"))
    radius = RADII[0] + (RADII[1] - RADII[0]) * torch.rand(1, generator=generator)
    lesion = insert_lesions(
        pair.sources[None].float(),
        torch.tensor([source]),
        radius,
        torch.tensor([sign * AMPLITUDE]),
        generator,
        pair.spacing,
    )
    return radius.item(), lesion


def read_pairs(
    dataset_dir: Path, split: str = "test", tasks: Sequence[str] = (), per_task: int = PAIRS_PER_TASK
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
    prepared = []
    for pair in evenly(find_pairs(dataset_dir, split, tasks), per_task):
        keys = [f"source_{number}" for number in range(len(pair.sources))]
        parser = find("average").parser(sources=keys, **FusionOptions().config_values(len(keys)))
        with plain_errors():
            case = parser.get_parsed_content("preprocessing")(dict(zip(keys, pair.sources, strict=True)))
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
