import math

import pytest
import torch
from torch import Tensor

from volfuse.numerics.lesions import CORE, Lesions, draw_lesions, insert_lesions


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def insert(sources: Tensor, source: int, radius: float, amplitude: float, **options) -> Lesions:
    count = len(sources)
    return insert_lesions(
        sources,
        torch.full((count,), source),
        torch.full((count,), radius),
        torch.full((count,), amplitude),
        chance(),
        **options,
    )


@pytest.fixture
def scans() -> Tensor:
    """Four pairs of smooth noise over the whole range, with air at the left."""
    noise = torch.rand(4, 2, 10, 10, generator=chance())
    scans = torch.nn.functional.interpolate(noise, size=(80, 80), mode="bicubic").clamp(0, 1)
    scans[..., :16] = 0
    return scans


def test_a_lesion_is_a_gaussian_cut_at_two_percent():
    lesion = insert(torch.full((1, 2, 65, 65), 0.5), source=1, radius=4.0, amplitude=0.2)
    row, column = lesion.centers[0].tolist()
    y, x = torch.meshgrid(torch.arange(65), torch.arange(65), indexing="ij")
    squared = (y - row) ** 2 + (x - column) ** 2
    expected = 0.2 * torch.exp(-squared / 32) * (squared <= 2 * 16 * math.log(50))
    torch.testing.assert_close(lesion.difference[0, 0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("amplitude", [0.2, -0.2])
@pytest.mark.parametrize("source", [0, 1])
def test_only_its_source_changes_and_the_image_stays_in_range(scans, source, amplitude):
    lesion = insert(scans, source, 5.0, amplitude)
    assert torch.equal(lesion.sources[:, 1 - source], scans[:, 1 - source])
    assert torch.equal((lesion.sources - scans)[:, source], lesion.difference[:, 0])
    assert lesion.sources.min() >= 0 and lesion.sources.max() <= 1
    assert lesion.found.all() and (lesion.difference * math.copysign(1, amplitude) >= 0).all()


@pytest.mark.parametrize("amplitude", [0.2, -0.2])
def test_the_core_lies_where_the_contrast_fits_and_the_centre_in_tissue(scans, amplitude):
    lesion = insert(scans, 0, 3.0, amplitude)
    y, x = torch.meshgrid(torch.arange(80.0), torch.arange(80.0), indexing="ij")
    for pair, center in zip(scans, lesion.centers.tolist(), strict=True):
        core = torch.hypot(y - center[0], x - center[1]) < CORE * 3
        level = pair[0][core] + amplitude
        assert level.min() >= 0.02 and level.max() <= 0.98
        assert pair.amax(0)[tuple(center)] > 0.15


def test_clipping_takes_only_what_lies_outside_the_core():
    sources = torch.full((1, 2, 64, 64), 0.5)
    sources[..., 40:] = 0.9  # a bright lesion of 0.2 fits left of it and is cut off where it reaches over
    lesion = insert(sources, 0, 9.0, 0.2)
    assert lesion.centers[0, 1] + 9 * CORE < 40
    assert lesion.difference[..., 40:].max() <= 0.1 + 1e-6


def test_the_only_fitting_place_is_found():
    sources = torch.full((1, 2, 48, 48), 0.95)
    y, x = torch.meshgrid(torch.arange(48.0), torch.arange(48.0), indexing="ij")
    sources[0, 0, torch.hypot(y - 20.0, x - 31.0) < 4 * CORE] = 0.5
    assert insert(sources, 0, 4.0, 0.2).centers.tolist() == [[20, 31]]


def test_a_core_may_reach_over_the_border_of_the_image():
    sources = torch.full((1, 2, 3, 3), 0.5)
    assert insert(sources, 0, 9.0, 0.2).found.all()


@pytest.mark.parametrize("level", [0.0, 0.1, 1.0])
def test_without_a_place_nothing_changes(level):
    sources = torch.full((2, 2, 32, 32), level)
    sources[1] = 0.5
    lesion = insert(sources, 0, 3.0, 0.2 if level == 1 else -0.2)
    assert lesion.found.tolist() == [False, True]
    assert torch.equal(lesion.sources[0], sources[0]) and not lesion.difference[0].any()
    assert lesion.difference[1].any()


def test_in_a_volume_a_lesion_is_a_ball_in_space():
    lesion = insert(torch.full((1, 3, 41, 41, 21), 0.5), 2, 3.0, -0.2, spacing=(1.0, 1.0, 2.5))
    inside = lesion.difference[0, 0] < -0.2 * 0.5
    size = [int(inside.any(dim).sum()) for dim in ((1, 2), (0, 2), (0, 1))]
    assert size == [7, 7, 3]  # 2 * floor(3.53) + 1 pixels, 2 * floor(3.53 / 2.5) + 1 slices
    assert lesion.centers.shape == (1, 3)


def test_random_lesions_depend_on_the_generator_alone(scans):
    first, again, other = (draw_lesions(scans, chance(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.sources, again.sources)
    assert not torch.equal(first.sources, other.sources)


def test_random_lesions_cover_sources_signs_and_contrasts():
    sources = torch.full((256, 2, 40, 40), 0.5)
    peaks = draw_lesions(sources, chance(), radii=(2, 4), amplitudes=(0.1, 0.3)).sources - sources
    by_source = peaks.flatten(2).abs().amax(-1)
    assert 0.4 < (by_source[:, 0] > 0).float().mean() < 0.6
    strength = by_source.amax(1)
    assert strength.min() >= 0.1 - 1e-6 and strength.max() <= 0.3 + 1e-6 and strength.std() > 0.04
    assert 0.4 < (peaks.flatten(1).sum(1) > 0).float().mean() < 0.6


def test_lesions_on_lesions_add_up(scans):
    first = draw_lesions(scans, chance(3))
    second = draw_lesions(first.sources, chance(4))
    change = (second.sources - scans).sum(1, keepdim=True)
    torch.testing.assert_close(first.difference + second.difference, change)


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"sources must be \(B, N, H, W\) or \(B, N, H, W, D\), not 3-dim"):
        insert(torch.zeros(2, 8, 8), 0, 3.0, 0.2)
