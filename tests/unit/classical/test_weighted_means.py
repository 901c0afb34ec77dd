"""Average, maximum, alpha blend and PCA on images whose fused value is known."""

import numpy as np
import pytest
import torch

from volfuse.classical import AlphaBlend, Average, Maximum, PrincipalComponent


@pytest.fixture
def sources():
    return torch.tensor([[0.0, 0.2, 1.0], [0.6, 0.4, 0.1], [0.3, 0.9, 0.4]]).view(1, 3, 1, 3)


def test_average(sources):
    torch.testing.assert_close(Average()(sources), torch.tensor([0.3, 0.5, 0.5]).view(1, 1, 1, 3))


def test_maximum(sources):
    assert torch.equal(Maximum()(sources), torch.tensor([0.6, 0.9, 1.0]).view(1, 1, 1, 3))


def test_alpha_blend_shares_the_rest_of_the_weight_among_the_others(sources):
    expected = torch.tensor([0.75 * 0.45, 0.25 * 0.2 + 0.75 * 0.65, 0.25 + 0.75 * 0.25]).view(1, 1, 1, 3)
    torch.testing.assert_close(AlphaBlend(0.25)(sources), expected)


def test_alpha_blend_at_its_ends_shows_one_side(sources):
    assert torch.equal(AlphaBlend(1)(sources), sources[:, :1])
    assert torch.equal(AlphaBlend(0)(sources[:, :2]), sources[:, 1:2])


def test_alpha_blend_of_two_at_one_half_is_the_average(sources):
    torch.testing.assert_close(AlphaBlend(0.5)(sources[:, :2]), Average()(sources[:, :2]))


@pytest.mark.parametrize("weight", [-0.1, 1.5, float("nan")])
def test_alpha_blend_refuses_a_weight_outside_its_range(weight):
    with pytest.raises(ValueError) as refusal:
        AlphaBlend(weight)
    assert str(refusal.value) == f"The weight of an alpha blend lies in 0..1, not at {weight}."


def test_pca_weighs_scaled_copies_by_their_scales():
    # The covariance of (x, c x) is var(x) (1, c)(1, c)^T, so the leading eigenvector is (1, c).
    image = torch.rand(1, 1, 12, 12, generator=torch.Generator().manual_seed(1))
    fused = PrincipalComponent()(torch.cat((image, 0.25 * image), 1))
    torch.testing.assert_close(fused, image * (1 + 0.25**2) / 1.25, rtol=1e-4, atol=0)


def test_pca_agrees_with_numpy():
    generator = np.random.default_rng(2)
    common = generator.random((20, 30))
    sources = np.stack(
        [0.8 * common, 0.5 * common + 0.2 * generator.random((20, 30)), generator.random((20, 30))]
    )
    values, vectors = np.linalg.eigh(np.cov(sources.reshape(3, -1)))
    weights = np.abs(vectors[:, values.argmax()])
    expected = np.tensordot(weights / weights.sum(), sources, 1)
    fused = PrincipalComponent()(torch.from_numpy(sources)[None])
    np.testing.assert_allclose(fused[0, 0], expected, atol=1e-5)


def test_pca_gives_a_constant_image_no_weight():
    image = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(4))
    fused = PrincipalComponent()(torch.cat((image, torch.full_like(image, 0.5)), 1))
    torch.testing.assert_close(fused, image, rtol=0, atol=1e-5)


def test_pca_weighs_an_image_and_its_negative_alike():
    image = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(5))
    fused = PrincipalComponent()(torch.cat((image, 1 - image), 1))
    torch.testing.assert_close(fused, torch.full_like(image, 0.5), rtol=0, atol=1e-5)
