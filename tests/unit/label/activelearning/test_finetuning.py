import math

import pytest
import torch
from torch import Tensor, nn

from volfuse.errors import FusionError
from volfuse.label.activelearning.finetuning import (
    Choices,
    FineTuning,
    TrainingCase,
    fine_tune,
    preference_loss,
)


class Mix(nn.Module):
    """``w * first + (1 - w) * second``."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.5))

    def forward(self, sources: Tensor) -> Tensor:
        return self.weight * sources[:, :1] + (1 - self.weight) * sources[:, 1:]


def to_first(fused: Tensor, sources: Tensor) -> Tensor:
    return (fused - sources[:, :1]).square().mean()


def case(chance_of_second: float | None = None) -> TrainingCase:
    """Two models made of the sources the first and the second of them."""
    sources = torch.rand(2, 2, 40, 24)
    if chance_of_second is None:
        return TrainingCase("a", sources)
    return TrainingCase(
        "a", sources, Choices(sources, torch.tensor([1 - chance_of_second, chance_of_second]))
    )


SETTINGS = FineTuning(steps=60, learning_rate=0.02, crop_size=32)


def tuned(reviewed: TrainingCase, settings: FineTuning = SETTINGS) -> float:
    network = Mix()
    fine_tune(network, to_first, [reviewed], settings)
    return network.weight.item()


def test_training_goes_where_the_loss_wants() -> None:
    assert tuned(case()) > 0.9


def test_what_readers_choose_pulls_against_the_loss_and_only_with_a_weight() -> None:
    drawn = FineTuning(60, 4, 32, 0.02, preference_weight=5.0)
    assert tuned(case(1.0), FineTuning(60, 4, 32, 0.02, preference_weight=0.0)) > 0.9
    assert tuned(case(0.0), drawn) > 0.9
    assert tuned(case(1.0), drawn) < 0.5


def test_the_preference_loss_goes_to_the_mean_choice_as_surely_as_it_is_known() -> None:
    fused = torch.full((2, 1, 4, 4), 0.5, requires_grad=True)
    images = torch.cat([torch.full((1, 1, 4, 4), value) for value in (0.1, 0.8)], dim=1)
    known = Choices(images, torch.tensor([0.25, 0.75]))
    certainty = 1 - (0.25 * 2 + 0.75 * math.log2(4 / 3))
    assert known.certainty == pytest.approx(certainty)
    loss = preference_loss(fused, [None, known])
    loss.backward()
    assert loss.item() == pytest.approx(certainty)
    slope = 2 * (0.5 - (0.25 * 0.1 + 0.75 * 0.8)) / 16 / (0.25 * 0.4**2 + 0.75 * 0.3**2)
    torch.testing.assert_close(fused.grad[1], torch.full((1, 4, 4), certainty * slope))
    assert fused.grad[0].count_nonzero() == 0
    assert Choices(images, torch.tensor([0.0, 1.0])).certainty == 1
    assert Choices(images, torch.tensor([0.5, 0.5])).certainty == pytest.approx(0, abs=1e-6)


def test_the_same_seed_gives_the_same_weights_also_where_the_loss_draws() -> None:
    def with_noise(crops: Tensor) -> Tensor:
        return torch.cat([crops, crops + torch.rand_like(crops)])

    reviewed, results = case(), []
    for seed in (1, 1, 2):
        network = Mix()
        torch.rand(3)
        settings = FineTuning(steps=3, seed=seed, crop_size=16)
        fine_tune(network, to_first, [reviewed], settings, prepare=with_noise)
        results.append(network.weight.item())
    assert results[0] == results[1] != results[2]


def test_progress_is_told_step_by_step() -> None:
    told = []
    fine_tune(Mix(), to_first, [case()], FineTuning(steps=3), lambda *values: told.append(values[:2]))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_running_averages_stay() -> None:
    network = nn.Sequential(nn.BatchNorm2d(2), nn.Conv2d(2, 1, 1))
    fine_tune(network, to_first, [case()], FineTuning(steps=2))
    assert torch.equal(network[0].running_mean, torch.zeros(2))


def test_diverging_is_said() -> None:
    with pytest.raises(FusionError, match="choose a lower learning rate"):
        fine_tune(Mix(), lambda fused, _: fused.mean() / 0 * 0, [case()], SETTINGS)
