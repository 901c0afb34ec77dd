"""Artificial lesions: Gaussian blobs that one of several registered scans shows and the others do not.

Everything is a tensor operation without gradient, batched, on any device, for images and volumes: the insertion
test of the evaluation and the training with lesions use it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

CUT = 0.02
"""A lesion ends where it falls below this share of its peak."""
CORE = math.sqrt(2 * math.log(2))
"""The core of a lesion, more than half of its peak, reaches this many standard deviations from its centre."""
DARKEST, BRIGHTEST = 0.02, 0.98
"""Between these values the core must stay, so that clipping takes nothing of what is measured."""
_TISSUE, _TISSUE_IN_ALL = 0.15, 0.2
_BLOCK = 64  # candidate centres that are examined at a time


@dataclass(frozen=True)
class Lesions:
    """One lesion per image of a batch.

    Attributes:
        sources: the images with their lesions, (B, N, H, W) or (B, N, H, W, D), values 0..1.
        difference: what the lesions changed in the one source that has them, (B, 1, H, W) or (B, 1, H, W, D).
        centers: voxel indices of their centres, (B, 2) or (B, 3), int64.
        found: (B,), bool; False where no place was found: there ``difference`` is 0.
    """

    sources: Tensor
    difference: Tensor
    centers: Tensor
    found: Tensor


@torch.no_grad()
def insert_lesions(
    sources: Tensor,
    source: Tensor,
    radius: Tensor,
    amplitude: Tensor,
    generator: torch.Generator | None = None,
    spacing: Sequence[float] | None = None,
    tries: int = 4096,
) -> Lesions:
    r"""Put one lesion of given size and contrast into one source of each image, at a random place in tissue.

    .. math:: s' = \mathrm{clip}(s + a g, 0, 1), \quad g = \exp(-|x - c|^2 / 2 r^2), \; 0 \text{ below } 0.02

    A place fits if the brightest source is tissue there and :math:`s + a` stays within 0.02..0.98 over the core
    (:math:`g > 0.5`).

    Args:
        sources: (B, N, H, W) or (B, N, H, W, D), values 0..1.
        source: which source gets the lesion, (B,), int64.
        radius: standard deviation r, (B,), in pixels or, with ``spacing``, in its unit.
        amplitude: a, (B,): above 0 for a bright lesion, below 0 for a dark one.
        generator: of random numbers, on the device of ``sources``.
        spacing: size of a voxel along each axis, so that a lesion is a ball; by default 1.
        tries: how many random places in tissue are examined.
    """
    if sources.ndim not in (4, 5):
        raise ValueError(f"sources must be (B, N, H, W) or (B, N, H, W, D), not {sources.ndim}-dimensional.")
    rows = torch.arange(len(sources), device=sources.device)
    step = torch.tensor(spacing or [1.0] * (sources.ndim - 2), device=sources.device)
    column = (-1,) + (1,) * (sources.ndim - 2)
    image = sources[rows, source]
    level = image + amplitude.view(column)
    unfit = (level < DARKEST) | (level > BRIGHTEST)
    places = _random_places(tissue(sources), tries, generator)
    centers, found = _first_fitting(places, unfit, radius * CORE, step)
    blob = gaussian(sources.shape[2:], centers, radius, step) * found.view(column)
    with_lesions = sources.clone()
    with_lesions[rows, source] = (image + amplitude.view(column) * blob).clamp(0, 1)
    difference = (with_lesions[rows, source] - image)[:, None]
    return Lesions(with_lesions, difference, centers, found)


@torch.no_grad()
def draw_lesions(
    sources: Tensor,
    generator: torch.Generator | None = None,
    radii: tuple[float, float] = (3, 9),
    amplitudes: tuple[float, float] = (0.2, 0.2),
    spacing: Sequence[float] | None = None,
    tries: int = 4096,
) -> Lesions:
    """Put one random lesion into each image: source, place, sign, size and contrast are all drawn, uniformly.

    Call it again with what it returned for more lesions per image; their differences add up.

    Args:
        sources: (B, N, H, W) or (B, N, H, W, D), values 0..1.
        generator: of random numbers, on the device of ``sources``.
        radii: smallest and largest standard deviation, in pixels or, with ``spacing``, in its unit.
        amplitudes: smallest and largest contrast, without sign.
        spacing: size of a voxel along each axis; by default 1.
        tries: how many random places in tissue are examined.
    """
    batch, count = sources.shape[:2]
    radius, amplitude, sign, which = torch.rand(4, batch, generator=generator, device=sources.device)
    return insert_lesions(
        sources,
        (which * count).long().clamp(max=count - 1),
        radii[0] + (radii[1] - radii[0]) * radius,
        (amplitudes[0] + (amplitudes[1] - amplitudes[0]) * amplitude) * torch.where(sign < 0.5, -1.0, 1.0),
        generator,
        spacing,
        tries,
    )


def tissue(sources: Tensor) -> Tensor:
    """Where a patient is: sources (B, N, ...) in 0..1 -> (B, ...), bool."""
    return (sources.amax(dim=1) > _TISSUE) & (sources.sum(dim=1) > _TISSUE_IN_ALL)


def gaussian(shape: Sequence[int], centers: Tensor, radius: Tensor, step: Tensor) -> Tensor:
    """Blobs of peak 1, cut to 0 below :data:`CUT`: centres (B, D), radii (B,), voxel sizes (D,) -> (B, *shape)."""
    squared = torch.zeros((), device=centers.device)
    for axis, size in enumerate(shape):
        along = [1] * len(shape)
        along[axis] = size
        offset = (
            (torch.arange(size, device=centers.device) - centers[:, axis, None])
            * step[axis]
            / radius[:, None]
        )
        squared = squared + offset.square().view(-1, *along)
    blob = torch.exp(-squared / 2)
    return blob * (blob >= CUT)


def _random_places(mask: Tensor, tries: int, generator: torch.Generator | None) -> Tensor:
    """Draw voxels of a mask (B, *shape) without repetition: (B, K, D), -1 where it has no more."""
    scores = torch.rand(mask.shape, generator=generator, device=mask.device).where(mask, -1.0).flatten(1)
    best, index = scores.topk(min(tries, scores.shape[1]), dim=1)
    places = torch.stack(torch.unravel_index(index, mask.shape[1:]), dim=-1)
    return places.where(best[..., None] >= 0, -1)


def _first_fitting(places: Tensor, unfit: Tensor, reach: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
    """Find the first of the places (B, K, D) with no unfit voxel (B, *shape) within reach (B,)."""
    batch, _, axes = places.shape
    half = (reach.max() / step).floor().long().tolist()
    offsets = torch.cartesian_prod(*(torch.arange(-size, size + 1, device=places.device) for size in half))
    distance = (offsets * step).square().sum(-1).sqrt()
    offsets, distance = offsets[distance < reach.max()], distance[distance < reach.max()]
    size = torch.tensor(unfit.shape[1:], device=places.device)
    stride = torch.tensor(unfit[0].stride(), device=places.device)
    found = torch.zeros(batch, dtype=torch.bool, device=places.device)
    centers = torch.zeros(batch, axes, dtype=torch.long, device=places.device)
    for block in places.split(_BLOCK, dim=1):
        voxels = block[:, :, None] + offsets  # (B, k, P, D)
        inside = ((voxels >= 0) & (voxels < size)).all(-1)
        index = (voxels.clamp_min(0).minimum(size - 1) * stride).sum(-1)
        hits = unfit.flatten(1).gather(1, index.flatten(1)).view(index.shape)
        in_core = inside & (distance < reach[:, None, None])
        fits = (block[..., 0] >= 0) & ~(hits & in_core).any(-1)
        first = block.gather(1, fits.long().argmax(1)[:, None, None].expand(-1, 1, axes))[:, 0]
        centers = torch.where((fits.any(1) & ~found)[:, None], first, centers)
        found |= fits.any(1)
        if found.all():
            break
    return centers, found
