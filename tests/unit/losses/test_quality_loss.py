import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from volfuse.losses import QualityLoss, edge_excess_loss, metric_loss
from volfuse.metrics import METRICS


def images(seed: int, channels: int, size: int = 48) -> torch.Tensor:
    coarse = torch.rand(2, channels, size // 8, size // 8, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, scale_factor=8, mode="bicubic").clamp(0, 1)


@pytest.mark.parametrize("name", ["qabf", "scd", "mef_ssim", "vif", "nabf", "ssim"])
def test_a_metric_as_a_loss_falls_where_the_metric_improves(name: str) -> None:
    sources = images(0, 2)
    fused = sources.mean(1, keepdim=True).requires_grad_()
    before = METRICS[name](fused, sources).mean()
    (slope,) = torch.autograd.grad(metric_loss(fused, sources, name), fused)
    after = METRICS[name](fused - 1e-4 * slope / slope.abs().max(), sources).mean()
    assert after > before if METRICS[name].higher_is_better else after <= before


def test_an_image_that_is_good_enough_is_not_pushed_further() -> None:
    sources = images(0, 2)
    fused = sources.mean(1, keepdim=True).requires_grad_()
    worse, better = METRICS["scd"](fused, sources).sort().values.tolist()
    loss = metric_loss(fused, sources, "scd", enough=(worse + better) / 2)
    assert loss.item() == pytest.approx(-(worse + (worse + better) / 2) / 2)
    (slope,) = torch.autograd.grad(loss, fused)
    assert sorted(slope.abs().amax((1, 2, 3)).gt(0).tolist()) == [False, True]
    assert metric_loss(sources[:, :1], sources, "nabf", enough=0.5).item() == 0.5


def test_a_metric_without_gradient_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^'mi' is no metric to train with; use one of: sd, sf, ag, "):
        metric_loss(images(0, 1), images(1, 2), "mi")


@given(seed=st.integers(0, 50), strength=st.floats(0, 0.9))
def test_weaker_copies_of_a_source_have_no_excess(seed: int, strength: float) -> None:
    sources = images(seed, 2)
    assert edge_excess_loss(strength * sources[:, :1], sources).item() < 1e-7


def test_the_excess_of_a_ramp_is_what_exceeds_the_margin() -> None:
    ramp = torch.arange(32.0).expand(1, 1, 32, 32) / 64
    sources = torch.cat([ramp / 2, torch.zeros_like(ramp)], dim=1)
    # Sobel gives 8 times the slope, half of that in the two border columns: 31 columns' worth in 32.
    slope = 8 / 64 * 31 / 32
    assert edge_excess_loss(ramp, sources).item() == pytest.approx(slope * (1 - 0.98 / 2), rel=1e-5)
    assert edge_excess_loss(ramp, sources, margin=1).item() == pytest.approx(slope / 2, rel=1e-5)


def test_the_excess_has_a_finite_gradient_on_flat_images() -> None:
    flat = torch.full((1, 1, 16, 16), 0.5, requires_grad=True)
    (slope,) = torch.autograd.grad(edge_excess_loss(flat, torch.zeros(1, 2, 16, 16)), flat)
    assert slope.isfinite().all()


def test_the_quality_loss_is_the_weighted_sum_of_its_terms() -> None:
    fused, sources = images(2, 1), images(3, 2)
    loss = QualityLoss(metrics={"qabf": 1.0, "scd": 0.1, "nabf": 2.0}, edge_excess=4.0)
    expected = (
        -METRICS["qabf"](fused, sources).mean()
        - 0.1 * METRICS["scd"](fused, sources).mean()
        + 2 * METRICS["nabf"](fused, sources).mean()
        + 4 * edge_excess_loss(fused, sources)
    )
    torch.testing.assert_close(loss(fused, sources), expected)
