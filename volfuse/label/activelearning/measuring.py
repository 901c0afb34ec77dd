"""What a round of training changed on the cases that are held out, and whether that is better."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import torch
from torch import Tensor, nn

from volfuse.errors import FusionError
from volfuse.evaluation.insertion import SourcePair, insertion_test
from volfuse.evaluation.statistics import mean_interval
from volfuse.label.activelearning.finetuning import TrainingCase
from volfuse.label.activelearning.scores import quality

FEWEST_COMPARISONS = 10
"""Fewer blinded comparisons of held-out cases say nothing of a round."""
_LESION_SLICES = 4

Inferer = Callable[[Tensor, nn.Module], Tensor]


@dataclass(frozen=True)
class HoldOutResult:
    """What a network reaches on cases it is not trained on.

    Attributes:
        loss: the network's own training loss, mean over the cases.
        quality: Q^AB/F, mean over the cases.
        transfer: of artificial lesions, mean over the lesions; ``None`` if the slices have a place for none.
    """

    loss: float
    quality: float
    transfer: float | None


@dataclass(frozen=True)
class Choice:
    """A blinded comparison of a held-out case with a preference.

    Attributes:
        sources: (B, N, H, W), values 0..1.
        better: (B, 1, H, W), the image that a reader preferred, values 0..1.
        worse: the other.
    """

    sources: Tensor
    better: Tensor
    worse: Tensor


@dataclass(frozen=True)
class Preference:
    """How much nearer a network has come to what readers preferred, on held-out cases.

    Attributes:
        comparisons: how many.
        gain: by how much the mean distance (L1) to the preferred image, minus that to the other, has shrunk.
        low: lower end of the 95 % interval of ``gain``, a percentile bootstrap over the comparisons.
        high: its upper end.
    """

    comparisons: int
    gain: float
    low: float
    high: float


@torch.no_grad()
def measure_hold_out(
    network: nn.Module, inferer: Inferer, loss: nn.Module, cases: Sequence[TrainingCase]
) -> HoldOutResult:
    """Measure a network on the cases that are held out.

    Args:
        network: ``forward(sources (B, N, H, W)) -> (B, 1, H, W)``.
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
    return HoldOutResult(
        fmean(losses), fmean(qualities), _transfer(lambda sources: inferer(sources, network), cases)
    )


@torch.no_grad()
def margins(network: nn.Module, inferer: Inferer, choices: Sequence[Choice]) -> list[float]:
    """Return of each comparison by how much a network's image is nearer (L1) to the better than to the worse image."""
    network.eval()
    return [
        ((fused - choice.worse).abs().mean() - (fused - choice.better).abs().mean()).item()
        for choice in choices
        for fused in [inferer(choice.sources, network)]
    ]


def preference(before: Sequence[float], after: Sequence[float]) -> Preference | None:
    """Compare the margins of two networks on the same comparisons; ``None`` if there are too few."""
    if len(before) < FEWEST_COMPARISONS:
        return None
    gains = np.array(after) - np.array(before)
    low, high = mean_interval(gains[:, None])[:, 0]
    return Preference(len(gains), float(gains.mean()), float(low), float(high))


def shortcoming(before: HoldOutResult, after: HoldOutResult, readers: Preference | None) -> str:
    """Say why new weights are not better; empty if they are.

    Better means that neither Q^AB/F nor the transfer of lesions falls, that readers' preferences do not speak against
    it, and that one of the three speaks for it.
    """
    if not after.quality >= before.quality:  # so that NaN is a fall
        return f"Q^AB/F fell from {before.quality:.4f} to {after.quality:.4f}"
    rises = after.quality > before.quality
    if before.transfer is not None and after.transfer is not None:
        if not after.transfer >= before.transfer:
            return f"the transfer of lesions fell from {before.transfer:.4f} to {after.transfer:.4f}"
        rises = rises or after.transfer > before.transfer
    if readers is not None:
        if not readers.high >= 0:
            return f"readers' preferences on held-out cases speak against it ({readers.low:.4f}..{readers.high:.4f})"
        rises = rises or readers.low > 0
    return "" if rises else "nothing has changed"


def _transfer(fuse: Callable[[Tensor], Tensor], cases: Sequence[TrainingCase]) -> float | None:
    pairs = [
        SourcePair("hold-out", f"{case.name} {number}", case.sources[number])
        for case in cases
        for number in _spread(len(case.sources))
    ]
    try:
        return fmean(record.transfer for record in insertion_test(fuse, pairs))
    except FusionError:  # no place for a lesion
        return None


def _spread(count: int) -> list[int]:
    """Return a few numbers of slices, evenly spread."""
    most = min(_LESION_SLICES, count)
    return [(2 * number + 1) * count // (2 * most) for number in range(most)]
