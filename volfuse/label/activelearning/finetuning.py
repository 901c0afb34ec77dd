"""Go on training a network on a few reviewed cases: with its own loss, and toward what readers would choose."""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from volfuse.errors import FusionError

_DIVISOR = 16
"""Sides of crops are multiples of it: some networks fold their images."""
_SMALLEST = 1e-9


@dataclass(frozen=True)
class Choices:
    """What models made of a case, and what readers would choose of it.

    Attributes:
        images: (B, M, H, W), the fused slices of M models, values 0..1.
        chances: (M,), the probability that a reader chooses each; they sum up to 1.
    """

    images: Tensor
    chances: Tensor

    @property
    def certainty(self) -> float:
        """0 if every image is as likely to be chosen, 1 if one is chosen for sure: 1 - entropy / largest entropy."""
        count = len(self.chances)
        entropy = -torch.special.xlogy(self.chances, self.chances).sum().item()
        return 1 - entropy / math.log(count) if count > 1 else 1.0


@dataclass(frozen=True)
class TrainingCase:
    """Slices of one case as a network sees them.

    Attributes:
        name: of the case.
        sources: (B, N, H, W), values 0..1.
        choices: of the same slices; ``None`` if nothing is known of what readers want.
    """

    name: str
    sources: Tensor
    choices: Choices | None = None

    def to(self, device: torch.device) -> "TrainingCase":
        """Return the case with its slices on a device."""
        if self.choices is None:
            return TrainingCase(self.name, self.sources.to(device))
        choices = Choices(self.choices.images.to(device), self.choices.chances.to(device))
        return TrainingCase(self.name, self.sources.to(device), choices)


@dataclass(frozen=True)
class FineTuning:
    """How to fine-tune.

    Args:
        steps: updates of the weights.
        batch_size: crops per step.
        crop_size: side of a crop in pixels; smaller slices are taken whole.
        learning_rate: of Adam. Low by default: the network is trained already.
        preference_weight: of what readers prefer, as a share of the network's own loss; 0 for its own loss alone.
        seed: of all that is random.
    """

    steps: int = 100
    batch_size: int = 4
    crop_size: int = 128
    learning_rate: float = 1e-4
    preference_weight: float = 1.0
    seed: int = 0


def fine_tune(
    network: nn.Module,
    loss: Callable[[Tensor, Tensor], Tensor],
    cases: Sequence[TrainingCase],
    settings: FineTuning,
    progress: Callable[[int, int, float], None] = lambda done, total, value: None,
    prepare: Callable[[Tensor], Tensor] = lambda crops: crops,
) -> None:
    """Train ``network`` in place with its own self-supervised loss and :func:`preference_loss`.

    Batch normalisation keeps its running averages: a handful of cases has other statistics than the training set.

    Args:
        network: ``forward(sources (B, N, H, W)) -> (B, 1, H, W)``.
        loss: ``loss(fused, sources) -> scalar``.
        cases: at least one; each is drawn as often, however many slices it has.
        settings: see :class:`FineTuning`.
        progress: called as ``progress(steps done, steps in all, loss of the step)``.
        prepare: makes of a batch of crops (B, N, H, W) the sources for the loss, which begin with these crops.

    Raises:
        FusionError: if a loss is not finite.
    """
    chance = random.Random(settings.seed)
    network.eval()
    optimizer = torch.optim.Adam(network.parameters(), lr=settings.learning_rate)
    side = min(settings.crop_size, *(size for case in cases for size in case.sources.shape[-2:]))
    side -= side % _DIVISOR if side > _DIVISOR else 0
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        for step in range(settings.steps):
            crops = [_crop(chance.choice(cases), side, chance) for _ in range(settings.batch_size)]
            sources = prepare(torch.stack([crop.sources[0] for crop in crops]))
            fused = network(sources)
            value = loss(fused, sources)
            if settings.preference_weight and any(crop.choices for crop in crops):
                preferred = preference_loss(fused[: len(crops)], [crop.choices for crop in crops])
                # The losses of the bundles differ by orders of magnitude; this makes the weight mean the same for all.
                value = value + settings.preference_weight * value.detach().abs() * preferred
            if not torch.isfinite(value):
                raise FusionError("The training diverged; choose a lower learning rate.")
            optimizer.zero_grad()
            value.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            progress(step + 1, settings.steps, value.item())


def preference_loss(fused: Tensor, choices: Sequence[Choices | None]) -> Tensor:
    r"""How far fused images are from those that readers would choose, as surely as that is known.

    .. math:: L = \frac{\sum_b c_b D_b}{\overline{\sum_b D_b}}, \quad D = \sum_m P(m) \lVert F - F_m \rVert^2

    c is the certainty of the choice, and what is under the bar has no gradient. Rewards weigh what is imitated (Peters
    and Schaal 2007, ICML): unlike an image that is made to score high, the result stays between images that readers
    have seen the like of.

    Args:
        fused: (B, 1, H, W), values 0..1.
        choices: of each image, on the same (1, M, H, W); ``None`` where nothing is known.

    Returns:
        A scalar, 0..1.
    """
    pairs = [(image, known) for image, known in zip(fused, choices, strict=True) if known is not None]
    distances = torch.stack(
        [(known.chances * (image - known.images[0]).square().mean((1, 2))).sum() for image, known in pairs]
    )
    certainties = torch.tensor([known.certainty for _, known in pairs], device=fused.device)
    return (certainties * distances).sum() / distances.detach().sum().clamp_min(_SMALLEST)


def _crop(case: TrainingCase, side: int, chance: random.Random) -> TrainingCase:
    """Return a part of one slice, as a case of one slice."""
    number = chance.randrange(len(case.sources))
    top, left = (chance.randint(0, size - side) for size in case.sources.shape[-2:])
    window = (slice(number, number + 1), slice(None), slice(top, top + side), slice(left, left + side))
    choices = case.choices and Choices(case.choices.images[window], case.choices.chances)
    return TrainingCase(case.name, case.sources[window], choices)
