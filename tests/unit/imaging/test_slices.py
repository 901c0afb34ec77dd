import torch

from volfuse.imaging import slices_of, slices_with_content


def test_a_slice_has_content_where_every_source_has_more_than_one_value() -> None:
    sources = torch.zeros(2, 4, 4, 10)
    sources[:, 0, 0, 2:8] = 1  # both show something in slices 2 to 7
    sources[0, 0, 0, 9] = 1
    sources[:, :, :, 5] = 0.7
    assert slices_with_content(sources) == [2, 3, 4, 6, 7]
    assert slices_with_content(torch.ones(2, 4, 4, 3)) == []


def test_some_of_many_are_evenly_spread() -> None:
    sources = torch.rand(3, 4, 4, 12, generator=torch.Generator().manual_seed(0))
    assert slices_with_content(sources, most=3) == [2, 6, 10]
    assert slices_with_content(sources, most=12) == slices_with_content(sources, most=50) == list(range(12))


def test_slices_become_a_batch() -> None:
    volume = torch.arange(24.0).reshape(1, 2, 3, 4)
    assert torch.equal(slices_of(volume, [3, 1])[0, 0], volume[0, ..., 3])
