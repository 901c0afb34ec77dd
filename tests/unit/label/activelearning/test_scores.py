import pytest
import torch

from volfuse.label.activelearning.scores import appearance, disagreement, quality, scored_slices


def test_slices_without_content_are_scored_only_where_there_are_no_others() -> None:
    sources = torch.zeros(2, 4, 4, 40)
    assert scored_slices(sources) == list(range(16))
    sources[:, 0, 0, 2:8] = 1
    assert scored_slices(sources) == [2, 3, 4, 5, 6, 7]


def test_models_that_agree_have_no_disagreement_and_noise_makes_more() -> None:
    image = torch.rand(2, 1, 20, 20)
    assert disagreement([image, image, image]) == pytest.approx(0, abs=1e-6)
    assert disagreement([image]) == 0
    near, far = ((image + noise * torch.rand_like(image)).clamp(0, 1) for noise in (0.1, 0.9))
    assert 0 < disagreement([image, near]) < disagreement([image, far]) < 2


def test_small_slices_have_a_disagreement_too() -> None:
    assert disagreement([torch.rand(1, 1, 6, 6), torch.rand(1, 1, 6, 6)]) > 0.1


def test_an_image_that_keeps_the_edges_has_the_higher_quality() -> None:
    sources = torch.zeros(1, 2, 32, 32)
    sources[..., 8:24, 8:24] = 1
    assert quality(sources[:, :1], sources) > 0.9 > quality(torch.full((1, 1, 32, 32), 0.5), sources)


def test_appearance_tells_where_a_source_is_bright() -> None:
    sources = torch.zeros(3, 2, 16, 16)
    sources[:, 0, :4, :4] = 1
    described = torch.tensor(appearance(sources))
    assert described.shape == (64,)
    assert described[0] == 1 and described[1:32].sum() == 0
    assert described[32:48].argmax() == 0 and described[48:].sum() == 0
