import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from volfuse.losses import (
    CSAFusionLoss,
    global_contrast_loss,
    local_contrast_loss,
    published_mutual_information_loss,
    region_mutual_information_loss,
    ssim_loss,
)

FLAT = 0.5 * math.log(5e-4)
ALL = [region_mutual_information_loss, local_contrast_loss, global_contrast_loss]


def images(seed: int, channels: int, height: int = 48, width: int = 60) -> torch.Tensor:
    """Smooth images with values 0..1, as anatomy has, and a little noise."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(2, channels, height // 6, width // 6, generator=generator)
    smooth = F.interpolate(coarse, size=(height, width), mode="bicubic")
    return (smooth + 0.02 * torch.randn(smooth.shape, generator=generator)).clamp(0, 1)


def ramp(slope: float, length: int = 20) -> torch.Tensor:
    return (slope * torch.arange(float(length))).expand(1, 1, length, length)


@pytest.mark.parametrize("mean_covariance", [False, True])
def test_region_mutual_information_is_that_of_numpy(mean_covariance: bool) -> None:
    fused, sources = images(0, 1, 20, 26), images(1, 2, 20, 26)

    def regions(image: torch.Tensor) -> np.ndarray:
        blocks = image.double().numpy()[:18, :24].reshape(6, 3, 8, 3).max(axis=(1, 3))
        windows = np.lib.stride_tricks.sliding_window_view(blocks, (3, 3)).reshape(-1, 9)
        return windows - windows.mean(axis=0)

    values = []
    for b in range(2):
        known = regions(fused[b, 0])
        for n in range(2):
            wanted = regions(sources[b, n])
            count = len(known) if mean_covariance else 1
            cross = wanted.T @ known / count
            inverse = np.linalg.inv(known.T @ known / count + 5e-4 * np.eye(9))
            unexplained = wanted.T @ wanted / count - cross @ inverse @ cross.T
            values.append(0.5 * np.linalg.slogdet(unexplained + 5e-4 * np.eye(9))[1] / 9)
    loss = region_mutual_information_loss(fused, sources, mean_covariance)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(np.mean(values), rel=1e-6)


def test_the_published_form_is_that_of_numpy() -> None:
    fused, source = images(0, 1, 19, 25)[:1], images(1, 1, 19, 25)[:1]
    squashed = 1 / (1 + np.exp(-fused[0, 0].double().numpy()))
    wanted = source[0, 0].double().numpy()

    def regions(image: np.ndarray) -> np.ndarray:
        padded = np.pad(image, 1, constant_values=-np.inf)
        blocks = padded.reshape(7, 3, 9, 3).max(axis=(1, 3))
        windows = np.lib.stride_tricks.sliding_window_view(blocks, (3, 3)).reshape(-1, 9)
        return windows - windows.mean(axis=0)

    known, unknown = regions(squashed), regions(wanted)
    cross = unknown.T @ known
    rest = unknown.T @ unknown - cross @ np.linalg.inv(known.T @ known + 5e-4 * np.eye(9)) @ cross.T
    information = 0.5 * np.linalg.slogdet(rest + 5e-4 * np.eye(9))[1] / 9
    entropy = -np.mean(wanted * np.log(squashed) + (1 - wanted) * np.log(1 - squashed))
    loss = published_mutual_information_loss(fused, source)
    assert loss.item() == pytest.approx((information + entropy) / 2, rel=1e-5)


def test_the_published_form_takes_the_place_of_its_two_terms() -> None:
    fused, sources = images(0, 1), images(1, 2)
    weights = (0, 0, 1, 2.5, 0, 0)
    reference, second = sources.split(1, dim=1)
    expected = published_mutual_information_loss(fused, second)
    expected = expected + 2.5 * published_mutual_information_loss(fused, reference)
    torch.testing.assert_close(CSAFusionLoss(weights, published_information=True)(fused, sources), expected)


@pytest.mark.parametrize("mean_covariance", [False, True])
def test_region_mutual_information_is_lowest_where_the_images_are_aligned(mean_covariance: bool) -> None:
    image = images(2, 1, 72, 72)

    def loss(down: int, right: int) -> float:
        moved = image.roll((down, right), (2, 3))[..., 8:-8, 8:-8]
        return region_mutual_information_loss(moved, image[..., 8:-8, 8:-8], mean_covariance).item()

    shifts = [
        (down, right) for down in range(-6, 7, 2) for right in range(-6, 7, 2) if (down, right) != (0, 0)
    ]
    assert loss(0, 0) < min(loss(*shift) for shift in shifts) - 0.1


def test_region_mutual_information_has_no_slope_at_identity_but_along_the_image_itself() -> None:
    generator = torch.Generator().manual_seed(3)
    image, change = torch.rand(2, 20, 20, dtype=torch.float64, generator=generator)
    regions = F.unfold(image[None, None], 3)[0]
    regions = regions - regions.mean(dim=1, keepdim=True)
    # Every covariance of the 9 pixels of a region with those of the change is a linear condition on the change.
    conditions = torch.zeros(9, 9, 9, regions.shape[1], dtype=torch.float64)
    conditions[:, range(9), range(9)] = regions[:, None]
    conditions = F.fold(conditions.flatten(0, 1), (20, 20), 3).flatten(1)
    change = change.flatten() - torch.linalg.pinv(conditions) @ (conditions @ change.flatten())

    def loss(step: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
        # Each pixel as a block of 3x3, whose maximum it is.
        blocks = (image + step * direction.reshape(20, 20)).kron(torch.ones(3, 3, dtype=torch.float64))
        source = image.kron(torch.ones(3, 3, dtype=torch.float64))
        return region_mutual_information_loss(blocks[None, None], source[None, None])

    def slope(direction: torch.Tensor, at: float = 0.0) -> float:
        step = torch.tensor(at, dtype=torch.float64, requires_grad=True)
        return torch.autograd.grad(loss(step, direction), step)[0].item()

    assert change.std() > 0.1
    assert slope(change) == pytest.approx(0, abs=1e-6)
    assert slope(torch.ones(400)) == pytest.approx(0, abs=1e-6)
    assert slope(change, at=0.1) > 1 and slope(change, at=-0.1) < -1
    assert min(loss(torch.tensor(step), change) for step in (-0.01, 0.01)) > loss(torch.tensor(0.0), change)


@pytest.mark.parametrize("mean_covariance", [False, True])
@pytest.mark.parametrize("constant", ["fused", "sources", "both"])
def test_region_mutual_information_is_finite_on_constant_images(mean_covariance: bool, constant: str) -> None:
    fused, sources = images(4, 1), images(5, 2)
    fused = torch.full_like(fused, 0.5) if constant != "sources" else fused
    sources = torch.full_like(sources, 0.25) if constant != "fused" else sources
    fused.requires_grad_()
    loss = region_mutual_information_loss(fused, sources, mean_covariance)
    (slope,) = torch.autograd.grad(loss, fused)
    assert slope.isfinite().all()
    if constant == "fused":
        assert FLAT < loss.item() < 5
    else:
        assert loss.item() == pytest.approx(FLAT)


def test_local_contrast_of_ramps_is_twice_their_slope() -> None:
    # The values 0..6 have the variance 4.
    sources = torch.cat([ramp(0.01), ramp(0.04)], dim=1)
    contrasts = {slope: math.sqrt(4 * slope**2 + 1e-6) for slope in (0.01, 0.02, 0.04, 0.05)}
    for slope, contrast in contrasts.items():
        loss = local_contrast_loss(ramp(slope), sources)
        assert loss.item() == pytest.approx(abs(contrast - contrasts[0.04]), abs=1e-6)
        assert local_contrast_loss(ramp(slope), sources, "maximize").item() == pytest.approx(
            -contrast, rel=1e-4
        )


def test_local_contrast_takes_the_strongest_source_at_every_pixel() -> None:
    left, right = torch.zeros(1, 1, 20, 40), torch.zeros(1, 1, 20, 40)
    left[..., :20], right[..., 20:] = ramp(0.04), ramp(0.03)
    sources = torch.cat([left, right], dim=1)
    strongest = torch.maximum(local_contrast_loss(left, sources), local_contrast_loss(right, sources))
    assert local_contrast_loss(left + right, sources) < 0.3 * strongest


def test_global_contrast_of_ramps_is_their_standard_deviation() -> None:
    unit = math.sqrt((20**2 - 1) / 12)
    sources = torch.cat([ramp(0.01), ramp(0.04)], dim=1)
    for slope in (0.01, 0.03, 0.04, 0.05):
        loss = global_contrast_loss(ramp(slope), sources)
        assert loss.item() == pytest.approx(abs(slope - 0.04) * unit, abs=1e-6)
        assert global_contrast_loss(ramp(slope), sources, "maximize").item() == pytest.approx(-slope * unit)


def test_global_contrast_is_the_mean_over_the_batch() -> None:
    fused = torch.cat([ramp(0.01), ramp(0.05)])
    each = [global_contrast_loss(one[None], ramp(0.03)) for one in fused]
    torch.testing.assert_close(global_contrast_loss(fused, torch.cat([ramp(0.03)] * 2)), sum(each) / 2)


@pytest.mark.parametrize("loss", [local_contrast_loss, global_contrast_loss])
def test_contrast_of_an_image_fused_with_itself_costs_nothing(loss) -> None:
    image = images(8, 1)
    assert loss(image, image.expand(-1, 3, -1, -1)).item() == 0


@pytest.mark.parametrize("loss", [local_contrast_loss, global_contrast_loss])
@pytest.mark.parametrize("mode", ["match", "maximize"])
def test_contrast_has_a_finite_gradient_on_flat_images(loss, mode: str) -> None:
    flat = torch.full((1, 1, 16, 16), 0.5, requires_grad=True)
    (slope,) = torch.autograd.grad(loss(flat, ramp(0.05, 16), mode), flat)
    assert slope.isfinite().all()


@pytest.mark.parametrize("loss", [local_contrast_loss, global_contrast_loss])
def test_an_unknown_mode_of_contrast_is_refused(loss) -> None:
    with pytest.raises(ValueError, match=r"^mode must be 'match' or 'maximize', not 'minimize'$"):
        loss(images(0, 1), images(1, 2), "minimize")


@pytest.mark.parametrize("loss", ALL)
def test_the_order_of_the_sources_does_not_matter(loss) -> None:
    fused, sources = images(9, 1), images(10, 3)
    torch.testing.assert_close(loss(fused, sources), loss(fused, sources[:, [2, 0, 1]]))


@pytest.mark.parametrize("loss", ALL)
def test_gradients_are_right(loss) -> None:
    # No two pixels are equal, so that every maximum has a slope.
    pixels = torch.randperm(3 * 18**2, generator=torch.Generator().manual_seed(11)).double() / (3 * 18**2)
    fused, sources = pixels.reshape(1, 3, 18, 18).split([1, 2], dim=1)
    fused = fused.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda image: loss(image, sources), fused)


@pytest.mark.parametrize("mode", ["match", "maximize"])
@pytest.mark.parametrize("mean_covariance", [False, True])
def test_the_composite_is_the_sum_of_six_terms(mode: str, mean_covariance: bool) -> None:
    fused, sources = images(15, 1), images(16, 2)
    magnetic_resonance, other = sources[:, :1], sources[:, 1:]

    def rmi(source: torch.Tensor) -> torch.Tensor:
        return region_mutual_information_loss(fused, source, mean_covariance)

    expected = (
        ssim_loss(fused, other)
        + ssim_loss(fused, magnetic_resonance)
        + rmi(other)
        + 2.5 * rmi(magnetic_resonance)
        + local_contrast_loss(fused, sources, mode)
        + global_contrast_loss(fused, sources, mode)
    )
    loss = CSAFusionLoss(contrast=mode, mean_covariance=mean_covariance)
    torch.testing.assert_close(loss(fused, sources), expected)


def test_with_the_published_weights_no_blend_is_better_than_a_copy_of_the_mr_image() -> None:
    sources, loss = images(19, 2), CSAFusionLoss()
    copy = loss(sources[:, :1], sources)
    blends = [sources.amax(1, True), *(sources[:, :1].lerp(sources[:, 1:], share) for share in (0.1, 0.5, 1))]
    assert all(copy < loss(blend, sources) - 5 for blend in blends)


def test_the_composite_needs_six_weights() -> None:
    with pytest.raises(ValueError, match=r"^6 loss terms need as many weights, not 4$"):
        CSAFusionLoss(weights=(1, 1, 1, 2.5))
