import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from volfuse.losses import (
    GradientLoss,
    IntensityLoss,
    SSIMLoss,
    WeightedSumLoss,
    gradient_loss,
    intensity_loss,
    ssim_loss,
)

ALL = [intensity_loss, gradient_loss, ssim_loss]


def images(seed: int, channels: int) -> torch.Tensor:
    return torch.rand(2, channels, 20, 24, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("loss", ALL)
@pytest.mark.parametrize("num_sources", [1, 2, 5])
def test_an_image_fused_with_itself_costs_nothing(loss, num_sources: int) -> None:
    image = images(0, 1)
    assert loss(image, image.expand(-1, num_sources, -1, -1)).item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("loss", ALL)
@given(seed=st.integers(0, 100))
def test_the_order_of_the_sources_does_not_matter(loss, seed: int) -> None:
    fused, sources = images(seed, 1), images(seed + 1, 3)
    torch.testing.assert_close(loss(fused, sources), loss(fused, sources[:, [2, 0, 1]]))


@pytest.mark.parametrize("loss", ALL)
def test_gradients_are_right(loss) -> None:
    fused = images(0, 1)[:1, :, :13, :13].clone().requires_grad_()
    sources = images(1, 2)[:1, :, :13, :13]
    (analytic,) = torch.autograd.grad(loss(fused, sources), fused)
    step = torch.zeros_like(fused)
    step[0, 0, 6, 6] = 1e-3
    numeric = (loss(fused + step, sources) - loss(fused - step, sources)) / 2e-3
    assert analytic[0, 0, 6, 6].item() == pytest.approx(numeric.item(), rel=0.05, abs=1e-5)


def test_intensity_is_the_distance_to_the_brightest_source() -> None:
    sources = torch.tensor([0.2, 0.6, 0.4]).reshape(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert intensity_loss(torch.full((1, 1, 4, 4), 0.5), sources).item() == pytest.approx(0.1)
    assert intensity_loss(sources.amax(1, keepdim=True), sources).item() == 0


def test_squared_intensity_is_the_squared_distance_to_the_brightest_source() -> None:
    sources = torch.tensor([0.2, 0.6, 0.4]).reshape(1, 3, 1, 1).expand(1, 3, 4, 4)
    fused = torch.tensor([0.5, 0.3]).repeat(1, 1, 4, 2)
    assert IntensityLoss(squared=True)(fused, sources).item() == pytest.approx((0.1**2 + 0.3**2) / 2)


def test_gradient_of_a_ramp_is_eight_times_its_slope() -> None:
    ramp = torch.arange(8.0).expand(1, 1, 8, 8) / 10
    flat = torch.zeros(1, 1, 8, 8)
    loss = gradient_loss(flat, torch.cat([flat, ramp], dim=1))
    # Inside, Sobel gives 8 * 0.1; in the replicated border columns half of that.
    assert loss.item() == pytest.approx((6 * 0.8 + 2 * 0.4) / 8)


def test_gradient_ignores_the_sign_of_an_edge() -> None:
    ramp = torch.arange(8.0).expand(1, 1, 8, 8) / 10
    assert gradient_loss(ramp.flip(-1), torch.cat([ramp, ramp], dim=1)).item() == pytest.approx(0, abs=1e-6)


def test_ssim_is_that_of_scikit_image() -> None:
    fused, sources = images(3, 1), images(4, 2)
    values = [
        structural_similarity(
            fused[b, 0].double().numpy(),
            sources[b, n].double().numpy(),
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=1.0,
            full=True,
        )[1][5:-5, 5:-5].mean()
        for b in range(2)
        for n in range(2)
    ]
    assert ssim_loss(fused, sources).item() == pytest.approx(1 - np.mean(values), abs=1e-5)


def test_weighted_sum_adds_its_terms() -> None:
    fused, sources = images(0, 1), images(1, 2)
    loss = WeightedSumLoss([SSIMLoss(), GradientLoss(), IntensityLoss()], [50, 100, 20])
    expected = (
        50 * ssim_loss(fused, sources)
        + 100 * gradient_loss(fused, sources)
        + 20 * intensity_loss(fused, sources)
    )
    torch.testing.assert_close(loss(fused, sources), expected)


def test_weights_must_match_terms() -> None:
    with pytest.raises(ValueError, match="^2 loss terms need as many weights, not 1$"):
        WeightedSumLoss([SSIMLoss(), IntensityLoss()], [1])
