import pytest
import torch

from volfuse.networks import BlendNet
from volfuse.networks.complexity import count_parameters

SMALL = {"channels": 8, "dilations": (1, 2)}


@pytest.fixture
def network() -> BlendNet:
    """A network whose random weights make blends and corrections of every strength."""
    network = BlendNet(**SMALL).eval()
    for parameter in network.head.parameters():
        parameter.data *= 20
    return network


def test_parameters_are_those_counted_by_hand() -> None:
    def conv(inputs: int, outputs: int) -> int:
        return inputs * outputs * 9 + outputs

    assert count_parameters(BlendNet()) == conv(8, 32) + 6 * conv(32, 32) + conv(32, 16)


def test_every_parameter_learns() -> None:
    network = BlendNet(**SMALL)
    network(torch.rand(2, 2, 16, 16)).square().sum().backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("size", [(1, 1), (1, 8), (7, 5), (33, 64)])
def test_any_size_gives_that_size_within_the_unit_range(network: BlendNet, size: tuple[int, int]) -> None:
    fused = network(torch.rand(2, 2, *size))
    assert fused.shape == (2, 1, *size)
    assert fused.min() >= 0 and fused.max() <= 1


def test_an_image_fused_with_itself_comes_back(network: BlendNet) -> None:
    image = torch.rand(1, 1, 20, 24)
    torch.testing.assert_close(network(image.expand(1, 2, 20, 24)), image, rtol=0, atol=1e-6)


def test_black_stays_black_beyond_the_reach_of_the_correction(network: BlendNet) -> None:
    sources = torch.zeros(1, 2, 24, 24)
    sources[..., 12:] = torch.rand(1, 2, 24, 12)
    assert not network(sources)[..., : 12 - BlendNet.reach].any()


def test_contributions_add_up_to_the_fused_image(network: BlendNet) -> None:
    sources = torch.rand(2, 2, 15, 18)
    contributions = network.contributions(sources)
    assert contributions.shape == (2, 3, 15, 18)
    torch.testing.assert_close(contributions.sum(1, keepdim=True), network(sources))
    assert contributions[:, :2].min() >= 0
    assert (contributions[:, :2] <= sources + 1e-6).all()


def test_the_correction_is_bounded_by_what_the_sources_differ_nearby(network: BlendNet) -> None:
    sources = torch.full((1, 2, 32, 32), 0.5)
    sources[0, 1, 16, 16] = 0.9
    correction = network.contributions(sources)[0, 2].abs()
    assert correction.max() <= network.correction * 0.4 + 1e-6
    assert correction[:, : 16 - BlendNet.reach].max() < 1e-6
    assert correction[16, 16] > 0.01


def test_slices_of_a_batch_do_not_see_each_other(network: BlendNet) -> None:
    batch = torch.rand(3, 2, 24, 24)
    alone = torch.cat([network(one[None]) for one in batch])
    torch.testing.assert_close(network(batch), alone, rtol=0, atol=1e-6)
