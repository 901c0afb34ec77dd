import pytest
import torch
from torch import Tensor, nn

from volfuse.errors import FusionError
from volfuse.label.activelearning.finetuning import FineTuning, TrainingCase, fine_tune, measure_hold_out


class Mix(nn.Module):
    """``w * first + (1 - w) * second``."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.5))

    def forward(self, sources: Tensor) -> Tensor:
        return self.weight * sources[:, :1] + (1 - self.weight) * sources[:, 1:]


def to_first(fused: Tensor, sources: Tensor) -> Tensor:
    return (fused - sources[:, :1]).square().mean()


def apply(sources: Tensor, network: nn.Module) -> Tensor:
    return network(sources)


def case(preferred: bool = False) -> TrainingCase:
    sources = torch.rand(2, 2, 40, 24)
    return TrainingCase("a", sources, sources[:, 1:] if preferred else None)


SETTINGS = FineTuning(steps=60, learning_rate=0.02, crop_size=32)


def test_training_goes_where_the_loss_wants() -> None:
    network, held_out = Mix(), [case()]
    before = measure_hold_out(network, apply, to_first, held_out)
    fine_tune(network, to_first, [case()], SETTINGS)
    after = measure_hold_out(network, apply, to_first, held_out)
    assert network.weight > 0.9 and after.loss < 0.1 * before.loss
    assert 0 < before.quality < 1


def test_a_preferred_image_pulls_against_the_loss() -> None:
    free, drawn = Mix(), Mix()
    fine_tune(free, to_first, [case(preferred=True)], SETTINGS)
    fine_tune(drawn, to_first, [case(preferred=True)], FineTuning(60, 4, 32, 0.02, preference_weight=5.0))
    assert free.weight > 0.9 and drawn.weight < 0.5


def test_the_same_seed_gives_the_same_weights() -> None:
    reviewed, results = case(), []
    for seed in (1, 1, 2):
        network = Mix()
        fine_tune(network, to_first, [reviewed], FineTuning(steps=3, seed=seed, crop_size=16))
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
