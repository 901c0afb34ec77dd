import pytest
import torch

from volfuse.metrics import DesiredStructure, edge_preservation
from volfuse.networks import BlendNet
from volfuse.networks.complexity import count_parameters

SMALL = {"channels": 8, "dilations": (1, 2)}


@pytest.fixture
def network() -> BlendNet:
    """A network whose random weights make blends and corrections of every strength."""
    network = BlendNet(**SMALL).eval()
    for head in (network.head, network.revision_head):
        for parameter in head.parameters():
            torch.nn.init.uniform_(parameter, -1, 1)
    return network


def test_untrained_it_is_the_mean_of_the_sources_and_their_maximum() -> None:
    sources = torch.rand(2, 2, 15, 18)
    mean = (sources.sum(dim=1) + sources.amax(dim=1))[:, None] / 3
    torch.testing.assert_close(BlendNet(**SMALL)(sources), mean)


def test_parameters_are_those_counted_by_hand() -> None:
    def conv(inputs: int, outputs: int) -> int:
        return inputs * outputs * 9 + outputs

    trunk = conv(8, 24) + 5 * conv(24, 24) + conv(24, 16)
    revision = conv(24, 24) + conv(25, 24) + conv(24, 24) + conv(24, 16)
    assert count_parameters(BlendNet()) == trunk + revision


def test_every_parameter_learns(network: BlendNet) -> None:
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
    # Smooth images and weak revisions: noise has weak edges everywhere, whose direction is sensitive to rounding.
    for parameter in network.revision_head.parameters():
        parameter.data *= 0.1
    batch = torch.nn.functional.avg_pool2d(torch.rand(3, 2, 28, 28), 5, stride=1)
    alone = torch.cat([network(one[None]) for one in batch])
    torch.testing.assert_close(network(batch), alone, rtol=0, atol=1e-3)


def test_what_a_revision_sees_is_not_rounded_to_bfloat16(network: BlendNet) -> None:
    sources = torch.rand(1, 2, 32, 32)
    fused, desired = sources.mean(dim=1, keepdim=True), DesiredStructure(sources)
    with torch.autocast("cpu", torch.bfloat16):
        seen = network._look(fused, sources, desired)
    assert torch.equal(seen, network._look(fused, sources, desired))


def test_a_revision_that_follows_the_ascent_keeps_more_edges() -> None:
    """A network whose weights are set by hand: half of each source, corrected by a step along the ascent."""
    network = BlendNet(channels=8, dilations=(), correction=0.25, revisions=8)
    for parameter in network.parameters():
        parameter.data.zero_()
    network.head.bias.data[8:12] = -20  # the maximum has no weight
    for pixel in range(4):
        network.revision_stem.weight.data[pixel, 4 * 4 + pixel, 1, 1] = 1  # the scaled ascent rises
        network.revision_stem.weight.data[4 + pixel, 4 * 4 + pixel, 1, 1] = -1  # or falls
        network.revision_head.weight.data[12 + pixel, pixel, 1, 1] = 0.2
        network.revision_head.weight.data[12 + pixel, 4 + pixel, 1, 1] = -0.2
    torch.manual_seed(0)
    sources = torch.nn.functional.avg_pool2d(torch.rand(2, 2, 36, 36), 5, stride=1)
    revised = edge_preservation(network(sources), sources)
    network.revisions = 0
    mean = network(sources)
    torch.testing.assert_close(mean, sources.mean(dim=1, keepdim=True))
    assert (revised > edge_preservation(mean, sources) + 0.05).all()
