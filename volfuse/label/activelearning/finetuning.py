"""Go on training a network on a few reviewed cases, and measure it on others."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from volfuse.errors import FusionError
from volfuse.label.activelearning.scores import quality

_DIVISOR = 16
"""Sides of crops are multiples of it: some networks fold their images."""


@dataclass(frozen=True)
class TrainingCase:
    """Slices of one case as a network sees them.

    Attributes:
        name: of the case.
        sources: (B, N, H, W), values 0..1.
        preferred: (B, 1, H, W), the luminance a reader preferred; ``None`` if no image was.
    """

    name: str
    sources: Tensor
    preferred: Tensor | None = None

    def to(self, device: torch.device) -> "TrainingCase":
        """Return the case with its slices on a device."""
        preferred = None if self.preferred is None else self.preferred.to(device)
        return TrainingCase(self.name, self.sources.to(device), preferred)


@dataclass(frozen=True)
class FineTuning:
    """How to fine-tune.

    Args:
        steps: updates of the weights.
        batch_size: crops per step.
        crop_size: side of a crop in pixels; smaller slices are taken whole.
        learning_rate: of Adam. Low by default: the network is trained already.
        preference_weight: of the distance (L1) to the preferred image, as a share of the network's own loss; 0 for
            no distance.
        seed: of the choice of crops.
    """

    steps: int = 100
    batch_size: int = 4
    crop_size: int = 128
    learning_rate: float = 1e-4
    preference_weight: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class HoldOutResult:
    """What a network reaches on cases it is not trained on.

    Attributes:
        loss: the network's own training loss, mean over the cases.
        quality: Q^AB/F, mean over the cases.
    """

    loss: float
    quality: float


def fine_tune(
    network: nn.Module,
    loss: nn.Module,
    cases: Sequence[TrainingCase],
    settings: FineTuning,
    progress: Callable[[int, int, float], None] = lambda done, total, value: None,
) -> None:
    """Train ``network`` in place with its own self-supervised loss.

    Batch normalisation keeps its running averages: a handful of cases has other statistics than the training set.

    Args:
        network: ``forward(sources (B, N, H, W)) -> (B, 1, H, W)``.
        loss: ``loss(fused, sources) -> scalar``.
        cases: at least one; each is drawn as often, however many slices it has.
        settings: see :class:`FineTuning`.
        progress: called as ``progress(steps done, steps in all, loss of the step)``.

    Raises:
        FusionError: if a loss is not finite.
    """
    chance = random.Random(settings.seed)
    network.eval()
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    side = min(settings.crop_size, *(size for case in cases for size in case.sources.shape[-2:]))
    side -= side % _DIVISOR if side > _DIVISOR else 0
    for step in range(settings.steps):
        crops = [_crop(chance.choice(cases), side, chance) for _ in range(settings.batch_size)]
        sources = torch.stack([source for source, _ in crops])
        fused = network(sources)
        value = loss(fused, sources)
        preferred = {number: image for number, (_, image) in enumerate(crops) if image is not None}
        if settings.preference_weight and preferred:
            distance = F.l1_loss(fused[list(preferred)], torch.stack(list(preferred.values())))
            # The losses of the bundles differ by orders of magnitude; this makes the weight mean the same for all.
            scale = value.detach().abs() / distance.detach().clamp_min(1e-6)
            value = value + settings.preference_weight * scale * distance
        if not torch.isfinite(value):
            raise FusionError("The training diverged; choose a lower learning rate.")
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        progress(step + 1, settings.steps, value.item())


@torch.no_grad()
def measure_hold_out(
    network: nn.Module,
    inferer: Callable[[Tensor, nn.Module], Tensor],
    loss: nn.Module,
    cases: Sequence[TrainingCase],
) -> HoldOutResult:
    """Measure a network on the cases that are held out.

    Args:
        network: as in :func:`fine_tune`.
        inferer: its bundle's: ``inferer(sources, network)``.
        loss: its own.
        cases: at least one.
    """
    network.eval()
    losses, qualities = [], []
    for case in cases:
        fused = inferer(case.sources, network)
        losses.append(loss(fused, case.sources).item())
        qualities.append(quality(fused, case.sources))
    return HoldOutResult(fmean(losses), fmean(qualities))


def _crop(case: TrainingCase, side: int, chance: random.Random) -> tuple[Tensor, Tensor | None]:
    number = chance.randrange(len(case.sources))
    top, left = (chance.randint(0, size - side) for size in case.sources.shape[-2:])
    window = (number, slice(None), slice(top, top + side), slice(left, left + side))
    return case.sources[window], None if case.preferred is None else case.preferred[window]
