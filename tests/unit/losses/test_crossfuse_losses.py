import pytest
import torch

from volfuse.losses import WeightedSumLoss
from volfuse.losses.laplacian import LaplacianLoss, laplacian_loss
from volfuse.losses.reconstruction import MultiScaleSSIMLoss, ReconstructionLoss, multiscale_ssim_loss
from volfuse.losses.regional import RegionalIntensityLoss, regional_intensity_loss
from volfuse.metrics import multiscale_structural_similarity
from volfuse.numerics.ssim import ssim_by_scale

ALL = [multiscale_ssim_loss, regional_intensity_loss, laplacian_loss]


def images(seed: int, channels: int, size: int = 32) -> torch.Tensor:
    return torch.rand(2, channels, size, size, generator=torch.Generator().manual_seed(seed))


def ramp(size: int = 32) -> torch.Tensor:
    return (torch.arange(size) / size).expand(1, 1, size, size)


@pytest.mark.parametrize("loss", ALL)
@pytest.mark.parametrize("num_sources", [1, 2, 5])
def test_an_image_fused_with_itself_costs_nothing(loss, num_sources: int) -> None:
    image = images(0, 1)
    assert loss(image, image.expand(-1, num_sources, -1, -1)).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("loss", ALL)
def test_the_order_of_the_sources_does_not_matter(loss) -> None:
    fused, sources = images(0, 1), images(1, 3)
    torch.testing.assert_close(loss(fused, sources), loss(fused, sources[:, [2, 0, 1]]))


@pytest.mark.parametrize("loss", ALL)
def test_a_step_against_the_gradient_lowers_the_loss_as_it_says(loss) -> None:
    fused, sources = images(0, 1).requires_grad_(), images(1, 2)
    before = loss(fused, sources)
    (slope,) = torch.autograd.grad(before, fused)
    step = 0.05 * slope / slope.abs().max()
    lowered = before - loss(fused - step, sources)
    assert lowered.item() == pytest.approx((slope * step).sum().item(), rel=0.2)


def test_the_region_decides_which_source_is_the_target_not_the_pixel() -> None:
    sources = torch.full((1, 2, 32, 32), 0.4)
    sources[0, 1] = 0.2
    sources[0, 1, 16, 16] = 1.0
    # The bright pixel raises the mean over 121 pixels to 0.207 only: source 0 is followed everywhere.
    assert regional_intensity_loss(sources[:, :1], sources).item() == 0
    assert regional_intensity_loss(sources[:, 1:], sources).item() == pytest.approx(
        (1023 * 0.2**2 + 0.6**2) / 1024
    )


def test_each_half_is_followed_by_the_source_that_is_brighter_around_it() -> None:
    sources = torch.zeros(1, 2, 24, 24)
    sources[0, 0, :, :12] = 0.8
    sources[0, 1, :, 12:] = 0.6
    # In column 12 five columns of 0.8 still outweigh six of 0.6: there the target is source 0, which is black.
    black, brightest = torch.zeros(1, 1, 24, 24), sources.amax(1, keepdim=True)
    assert regional_intensity_loss(black, sources).item() == pytest.approx((12 * 0.8**2 + 11 * 0.6**2) / 24)
    assert regional_intensity_loss(brightest, sources).item() == pytest.approx(0.6**2 / 24)


def test_the_laplacian_of_a_parabola_is_two_and_its_negative_counts_nothing() -> None:
    parabola = (torch.arange(32.0) ** 2 / 1024).expand(1, 1, 32, 32)
    flat = torch.zeros_like(parabola)
    # Second difference 2 / 1024 inside; replicated ends: 1 at the left, none at the right, where it is negative.
    expected = (30 * (2 / 1024) ** 2 + (1 / 1024) ** 2) / 32
    assert laplacian_loss(flat, torch.cat([flat, parabola], 1)).item() == pytest.approx(expected, rel=1e-4)
    # Upside down only the right end remains: the step from 31^2 to 30^2 is 61.
    assert laplacian_loss(flat, -parabola).item() == pytest.approx((61 / 1024) ** 2 / 32, rel=1e-4)


def test_a_ramp_has_detail_at_its_low_end_only() -> None:
    assert laplacian_loss(torch.zeros(1, 1, 32, 32), ramp()).item() == pytest.approx((1 / 32) ** 2 / 32)


@pytest.mark.parametrize(("repeat_coarsest", "exponent"), [(False, 0.1333), (True, 4 * 0.1333)])
def test_multiscale_similarity_of_constants_is_that_of_their_luminance(
    repeat_coarsest: bool, exponent: float
) -> None:
    dark, bright = torch.full((1, 1, 48, 48), 0.2), torch.full((1, 1, 48, 48), 0.6)
    luminance = (2 * 0.2 * 0.6 + 1e-4) / (0.2**2 + 0.6**2 + 1e-4)
    expected = 1 - ((1 + luminance) / 2) ** exponent
    loss = MultiScaleSSIMLoss(repeat_coarsest)
    assert loss(dark, bright).item() == pytest.approx(expected, abs=1e-5)


def test_only_the_coarsest_scale_is_repeated() -> None:
    first, second = images(0, 1, 64)[:1], images(1, 1, 64)[:1]
    coarsest = (1 + ssim_by_scale(first, second)[0, 0, -1].item()) / 2
    once = multiscale_ssim_loss(first, second).item()
    repeated = multiscale_ssim_loss(first, second, repeat_coarsest=True).item()
    assert repeated == pytest.approx(1 - (1 - once) * coarsest ** (3 * 0.1333))


def test_multiscale_similarity_agrees_with_the_metric_where_both_are_close_to_one() -> None:
    source = torch.nn.functional.interpolate(images(0, 1, 22), scale_factor=8, mode="bicubic").clamp(0, 1)
    fused = source + 0.01 * images(1, 1, 176)
    metric = multiscale_structural_similarity(fused, source.expand(-1, 2, -1, -1)).mean()
    # Near one, the half of each factor halves how much is missing.
    assert multiscale_ssim_loss(fused, source).item() == pytest.approx((1 - metric.item()) / 2, rel=0.02)


def test_opposite_images_have_a_finite_loss_and_gradient() -> None:
    fused = ramp().clone().requires_grad_()
    loss = multiscale_ssim_loss(fused, 1 - ramp())
    (slope,) = torch.autograd.grad(loss, fused)
    assert 0.5 < loss.item() <= 1
    assert slope.isfinite().all()


@pytest.mark.parametrize("size", [16, 17, 64])
def test_multiscale_similarity_takes_small_images(size: int) -> None:
    image = images(0, 1, size)
    assert multiscale_ssim_loss(image, image).item() == pytest.approx(0, abs=1e-6)
    assert multiscale_ssim_loss(image, images(1, 1, size)).item() > 0.05


def test_reconstruction_weighs_its_terms_as_published() -> None:
    image, source = images(0, 1), images(1, 1)
    squared = (image - source).square().mean()
    structure = multiscale_ssim_loss(image, source)
    torch.testing.assert_close(ReconstructionLoss()(image, source), squared + 1e4 / 255**2 * structure)
    # The same recipe on images of 0..255, divided by the squared range.
    published = 255**2 * squared + 1e4 * structure
    torch.testing.assert_close(ReconstructionLoss()(image, source), published / 255**2)


def test_the_second_stage_is_a_weighted_sum_of_two_terms() -> None:
    fused, sources = images(0, 1), images(1, 2)
    loss = WeightedSumLoss([RegionalIntensityLoss(), LaplacianLoss()], [1, 10])
    expected = regional_intensity_loss(fused, sources) + 10 * laplacian_loss(fused, sources)
    torch.testing.assert_close(loss(fused, sources), expected)
