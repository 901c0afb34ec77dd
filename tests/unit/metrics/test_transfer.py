import math

import pytest
import torch
from torch import Tensor

from volfuse.metrics import transfer


@pytest.fixture(params=[(12, 14), (12, 14, 5)], ids=["image", "volume"])
def images(request) -> tuple[Tensor, Tensor]:
    """A fused image and a change, both (3, 1, ...)."""
    return tuple(torch.rand(2, 3, 1, *request.param, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("share", [-0.5, 0.0, 0.5, 1.0, 1.4])
def test_a_share_of_the_change_is_its_transfer(images, share):
    fused, change = images
    values = transfer(fused, fused + share * change, change)
    assert values.dtype == torch.float64
    torch.testing.assert_close(values, torch.full((3,), share).double(), rtol=0, atol=1e-6)


def test_what_does_not_look_like_the_change_does_not_count(images):
    fused, change = images
    flat = change.flatten(1)
    noise = torch.randn(flat.shape, generator=torch.Generator().manual_seed(1))
    noise -= flat * (noise * flat).sum(1, keepdim=True) / flat.square().sum(1, keepdim=True)
    values = transfer(fused, fused + 0.7 * change + noise.view_as(change), change)
    torch.testing.assert_close(values, torch.full((3,), 0.7).double(), rtol=0, atol=1e-5)


def test_nothing_added_has_no_transfer(images):
    fused, change = images
    change[1] = 0
    values = transfer(fused, fused, change)
    assert [math.isnan(value) for value in values.tolist()] == [False, True, False]


def test_shapes_must_agree(images):
    fused, change = images
    with pytest.raises(ValueError, match="must have one shape, got"):
        transfer(fused, fused[..., 1:], change)
