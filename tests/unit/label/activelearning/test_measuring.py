import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from volfuse.label.activelearning.finetuning import TrainingCase
from volfuse.label.activelearning.measuring import (
    FEWEST_COMPARISONS,
    Choice,
    HoldOutResult,
    Preference,
    margins,
    measure_hold_out,
    preference,
    shortcoming,
)


class Share(nn.Module):
    """Some of the mean of the sources."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, sources: Tensor) -> Tensor:
        return self.share * sources.mean(1, keepdim=True)


def apply(sources: Tensor, network: nn.Module) -> Tensor:
    return network(sources)


def loss(fused: Tensor, sources: Tensor) -> Tensor:
    return (fused - sources.mean(1, keepdim=True)).abs().mean()


def test_the_plain_average_keeps_half_of_every_lesion() -> None:
    case = TrainingCase("a", torch.full((6, 2, 48, 48), 0.5))
    result = measure_hold_out(Share(1.0), apply, loss, [case])
    assert result.transfer == pytest.approx(0.5, abs=1e-6) and result.loss == 0
    assert measure_hold_out(Share(0.5), apply, loss, [case]).transfer == pytest.approx(0.25, abs=1e-6)


def test_images_without_a_place_for_a_lesion_have_no_transfer() -> None:
    assert (
        measure_hold_out(Share(1.0), apply, loss, [TrainingCase("a", torch.zeros(1, 2, 9, 9))]).transfer
        is None
    )


def test_a_network_that_comes_nearer_to_what_readers_preferred_gains() -> None:
    sources = torch.full((2, 2, 8, 8), 1.0)
    choice = Choice(sources, better=torch.full((2, 1, 8, 8), 0.9), worse=torch.full((2, 1, 8, 8), 0.1))
    choices = [choice] * FEWEST_COMPARISONS
    before, after = (margins(Share(share), apply, choices) for share in (0.5, 0.7))
    assert before == pytest.approx([0.0] * 10, abs=1e-6) and after == pytest.approx([0.4] * 10)
    assert preference(before, after) == Preference(10, *(pytest.approx(0.4),) * 3)
    assert preference(before[1:], after[1:]) is None


BEFORE = HoldOutResult(loss=1.0, quality=0.7, transfer=0.8)
FOR, AGAINST = Preference(10, 0.1, 0.05, 0.15), Preference(10, -0.1, -0.15, -0.05)
GATE = {
    "quality falls": (replace(BEFORE, loss=0.1, quality=0.69), FOR, "Q^AB/F fell from 0.7000 to 0.6900"),
    "transfer falls": (
        replace(BEFORE, quality=0.71, transfer=0.79),
        FOR,
        "the transfer of lesions fell from 0.8000 to 0.7900",
    ),
    "not a number": (replace(BEFORE, quality=math.nan), None, "Q^AB/F fell from 0.7000 to nan"),
    "readers against": (
        replace(BEFORE, quality=0.71),
        AGAINST,
        "readers' preferences on held-out cases speak against it (-0.1500..-0.0500)",
    ),
    "nothing": (replace(BEFORE, loss=0.1), Preference(10, 0.1, -0.1, 0.3), "nothing has changed"),
    "quality rises": (replace(BEFORE, loss=9, quality=0.71), None, ""),
    "transfer rises": (replace(BEFORE, transfer=0.81), None, ""),
    "readers for": (BEFORE, FOR, ""),
}


@pytest.mark.parametrize("case", GATE)
def test_the_gate_opens_only_for_what_is_better(case: str) -> None:
    after, readers, reason = GATE[case]
    assert shortcoming(BEFORE, after, readers) == reason
