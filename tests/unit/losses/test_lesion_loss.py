import pytest
import torch

from volfuse.engine import LesionPrepareBatch
from volfuse.losses import LesionLoss, QualityLoss, transfer_loss

CHANGE = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(0)) - 0.2
IN_FIRST = torch.cat([CHANGE, torch.zeros_like(CHANGE)], dim=1)


@pytest.mark.parametrize(
    ("transfer", "expected"),
    [
        (1.0, 0.0),
        (0.8, 0.2**2 + 0.05 * 0.2**2),
        (0.5, 0.5**2 + 4 * 0.2**2 + 0.05 * 0.5**2),
        (0.0, 1 + 4 * 0.7**2 + 0.05),
        (1.32, 2 * 0.2**2 + 0.05 * 0.32**2),
    ],
)
def test_the_loss_is_that_of_the_formula(transfer: float, expected: float) -> None:
    assert transfer_loss(transfer * CHANGE, IN_FIRST).item() == pytest.approx(expected, abs=1e-5)


def test_what_is_enough_is_not_pushed_and_what_is_nearly_lost_counts_more() -> None:
    shape = 0.05 * 0.1**2
    assert transfer_loss(0.9 * CHANGE, IN_FIRST, enough=0.9).item() == pytest.approx(shape, abs=1e-5)
    more = transfer_loss(0.5 * CHANGE, IN_FIRST, rescue=10) - transfer_loss(0.5 * CHANGE, IN_FIRST)
    assert more.item() == pytest.approx(6 * 0.2**2, abs=1e-5)


def test_it_does_not_matter_which_source_has_the_lesion() -> None:
    fused_change = 0.6 * CHANGE
    assert transfer_loss(fused_change, IN_FIRST) == transfer_loss(fused_change, IN_FIRST.flip(1))


def test_images_without_a_lesion_do_not_count_and_have_no_gradient() -> None:
    changes = IN_FIRST.clone()
    changes[1:] = 0
    fused_change = (0.6 * CHANGE).requires_grad_()
    loss = transfer_loss(fused_change, changes)
    loss.backward()
    assert loss.item() == pytest.approx(transfer_loss(0.6 * CHANGE[:1], IN_FIRST[:1]).item())
    assert fused_change.grad is not None
    assert fused_change.grad[1:].abs().max() == 0 and torch.isfinite(fused_change.grad).all()
    assert transfer_loss(0.6 * CHANGE, torch.zeros_like(IN_FIRST)) == 0


def test_a_batch_is_compared_with_itself_with_lesions() -> None:
    torch.manual_seed(0)
    image = 0.3 + 0.4 * torch.rand(4, 2, 64, 64)
    image[0] = 0  # nowhere to put a lesion
    sources, label = LesionPrepareBatch()({"image": image}, "cpu")
    assert sources is label and torch.equal(sources[:4], image)
    changed = (sources[4:] - image).abs().amax(dim=(2, 3)) > 0.1
    assert changed.sum(dim=1).tolist() == [0, 1, 1, 1]

    quality = QualityLoss({"qabf": 1}, edge_excess=1)
    mean = sources.mean(dim=1, keepdim=True)
    half = 0.5**2 + 4 * 0.2**2 + 0.05 * 0.5**2
    expected = quality(mean[:4], image) + 3 * half
    assert LesionLoss(quality, weight=3)(mean, sources).item() == pytest.approx(expected.item(), abs=1e-5)
