import pytest
import torch

from volfuse.networks import LightFusionNet
from volfuse.networks.complexity import count_multiply_adds, count_parameters

# Options, parameters (millions) and multiply-adds (billions at 256x256) printed in the paper's Tables 1 and 3.
PUBLISHED_COSTS = [
    ({}, 0.004, 0.29),
    ({"attention": "conv"}, 0.002, 0.14),
    ({"attention": "ca"}, 0.002, 0.11),
    ({"attention": "sa"}, 0.002, 0.12),
    ({"depthwise": False}, 0.010, 0.66),
]
# The same, counted by hand layer by layer.
EXACT_COSTS = [
    ({}, 4365, 4402),
    ({"attention": "conv"}, 2021, 2098),
    ({"attention": "sa"}, 1673, 1782),
    ({"depthwise": False}, 10185, 10032),
    ({"base_channels": 8}, 1297, 1314),
    ({"base_channels": 32}, 15877, 15954),
    ({"reduction": 2}, 6677, 6706),
    ({"reduction": 8}, 3209, 3250),
    ({"norm": None}, 4285, 4082),
]


@pytest.mark.parametrize(("options", "millions", "billions"), PUBLISHED_COSTS)
def test_costs_round_to_the_published_ones(options: dict, millions: float, billions: float) -> None:
    network = LightFusionNet(**options)
    assert round(count_parameters(network) / 1e6, 3) == millions
    assert round(count_multiply_adds(network) / 1e9, 2) == billions


@pytest.mark.parametrize(("options", "parameters", "multiply_adds_per_pixel"), EXACT_COSTS)
def test_costs_are_those_counted_by_hand(
    options: dict, parameters: int, multiply_adds_per_pixel: int
) -> None:
    network = LightFusionNet(**options)
    assert count_parameters(network) == parameters
    assert count_multiply_adds(network, height=32, width=48) == multiply_adds_per_pixel * 32 * 48


@pytest.mark.parametrize("options", [options for options, *_ in PUBLISHED_COSTS] + [{"norm": None}])
def test_every_parameter_learns(options: dict) -> None:
    network = LightFusionNet(**options)
    network(torch.rand(2, 2, 16, 16)).square().sum().backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


@pytest.mark.parametrize("size", [(1, 1), (7, 5), (33, 64), (101, 77)])
def test_any_size_gives_that_size_within_the_unit_range(size: tuple[int, int]) -> None:
    fused = LightFusionNet().eval()(torch.rand(1, 2, *size))
    assert fused.shape == (1, 1, *size)
    assert fused.min() >= 0 and fused.max() <= 1


def test_slices_of_a_batch_do_not_see_each_other() -> None:
    network = LightFusionNet().eval()
    batch = torch.rand(4, 2, 24, 24)
    alone = torch.cat([network(one[None]) for one in batch])
    torch.testing.assert_close(network(batch), alone, rtol=0, atol=1e-6)


def test_predictive_coding_attention_strengthens_by_at_most_two() -> None:
    attention = LightFusionNet().encoders[0][2]
    features = torch.rand(1, 16, 8, 8)
    gain = attention(features) / features
    assert (gain >= 1).all() and (gain <= 2).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attention": "sse"}, "attention must be 'pca', 'conv', 'ca' or 'sa', not 'sse'"),
        ({"norm": "instance"}, "norm must be 'batch' or None, not 'instance'"),
    ],
)
def test_unknown_options_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        LightFusionNet(**options)
