import pytest
import torch

from volfuse.networks import UnionNet

SIZES = [(1, 1), (7, 3), (64, 64), (50, 37)]


@pytest.fixture
def network() -> UnionNet:
    """A network whose weights were not trained, but are not the neutral ones of its start either."""
    torch.manual_seed(0)
    network = UnionNet(channels=6, levels=4).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return network


def some_sources(*size: int) -> torch.Tensor:
    return torch.rand(2, 2, *size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("size", SIZES)
@torch.no_grad()
def test_any_size_gives_one_image_in_range(network: UnionNet, size: tuple[int, int]) -> None:
    fused = network(some_sources(*size))
    assert fused.shape == (2, 1, *size)
    assert fused.min() >= 0 and fused.max() <= 1


@pytest.mark.parametrize("size", SIZES)
@torch.no_grad()
def test_an_image_fused_with_itself_is_returned_exactly(network: UnionNet, size: tuple[int, int]) -> None:
    image = some_sources(*size)[:, :1]
    assert torch.equal(network(image.repeat(1, 2, 1, 1)), image)


@torch.no_grad()
def test_black_stays_black_away_from_what_the_sources_show(network: UnionNet) -> None:
    sources = torch.zeros(1, 2, 64, 64)
    sources[:, 0, 20:30, 20:30] = 0.8
    sources[:, 1, 24:34, 24:34] = 0.5
    assert network(sources)[..., 48:, 48:].abs().max() == 0


@pytest.mark.parametrize("size", SIZES)
@torch.no_grad()
def test_contributions_add_up_to_the_fused_image_exactly(network: UnionNet, size: tuple[int, int]) -> None:
    sources = some_sources(*size)
    contributions = network.contributions(sources)
    assert contributions.shape == (2, 3, *size)
    assert torch.equal(contributions.sum(dim=1, keepdim=True).float(), network(sources))


@torch.no_grad()
def test_a_black_source_contributes_nothing(network: UnionNet) -> None:
    sources = some_sources(32, 32)
    sources[:, 1] = 0
    assert network.contributions(sources)[:, 1].abs().max() == 0


@torch.no_grad()
def test_detail_that_one_source_alone_shows_is_in_the_result_before_any_training() -> None:
    torch.manual_seed(0)
    network = UnionNet()
    rows = torch.arange(128)
    blob = torch.exp(-((rows[:, None] - 64) ** 2 + (rows - 64) ** 2) / (2 * 5**2))
    sources = torch.full((1, 2, 128, 128), 0.4)
    sources[:, 0] += 0.1 * torch.sin(rows / 6)
    for source in (0, 1):
        changed = sources.clone()
        changed[:, source] += 0.2 * blob
        change = (network(changed) - network(sources))[0, 0]
        assert 0.7 < (change * blob).sum() / (0.2 * blob * blob).sum() < 1.2


def test_every_parameter_learns() -> None:
    torch.manual_seed(0)
    network = UnionNet(channels=6, levels=4)
    network(some_sources(64, 64)).square().mean().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name
