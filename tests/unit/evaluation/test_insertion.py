"""The insertion test on rules whose transfer is known exactly."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from volfuse.classical import CLASSICAL
from volfuse.errors import FusionError
from volfuse.evaluation.insertion import LesionRecord, SourcePair, insertion_test, read_pairs
from volfuse.fusion.inferers import FusionInferer


class Share(nn.Module):
    """A fixed share of each source."""

    def __init__(self, *shares: float) -> None:
        super().__init__()
        self.shares = shares

    def forward(self, sources: Tensor) -> Tensor:
        return sum(share * sources[:, [index]] for index, share in enumerate(self.shares))


def pair(*levels: float, shape: tuple[int, ...] = (48, 56), name: str = "1") -> SourcePair:
    """Sources of constant value."""
    return SourcePair("phantom", name, torch.stack([torch.full(shape, float(level)) for level in levels]))


def transfers(fuse, *pairs: SourcePair, **options) -> dict[tuple[int, int], float]:
    records = insertion_test(fuse, pairs, **options)
    return {(record.source, record.sign): record.transfer for record in records}


def test_the_average_keeps_half_of_everything():
    values = transfers(CLASSICAL["average"](), pair(0.5, 0.4))
    assert list(values) == [(0, 1), (0, -1), (1, 1), (1, -1)]
    assert list(values.values()) == pytest.approx([0.5] * 4, abs=1e-5)


def test_the_first_source_alone_keeps_its_own_lesions_and_loses_the_others():
    values = transfers(Share(1, 0), pair(0.5, 0.4))
    assert values == pytest.approx({(0, 1): 1, (0, -1): 1, (1, 1): 0, (1, -1): 0}, abs=1e-6)


def test_the_maximum_shows_the_brighter_source_alone():
    values = transfers(CLASSICAL["maximum"](), pair(0.3, 0.7))
    assert values[0, 1] == values[0, -1] == 0
    assert (values[1, 1], values[1, -1]) == pytest.approx((1, 1), abs=1e-6)


def test_the_maximum_next_to_nothing_shows_everything():
    values = transfers(CLASSICAL["maximum"](), pair(0.5, 0.0))
    # In an empty source a bright lesion stays below the other source, and a dark one has no place.
    assert values == pytest.approx({(0, 1): 1, (0, -1): 1, (1, 1): 0}, abs=1e-6)


def test_inversion_and_amplification_are_told():
    values = transfers(Share(1.5, -0.5), pair(0.5, 0.5))
    assert values == pytest.approx({(0, 1): 1.5, (0, -1): 1.5, (1, 1): -0.5, (1, -1): -0.5}, abs=1e-5)


def test_a_lesion_cut_off_by_the_bound_of_a_network_arrives_in_part():
    values = transfers(lambda sources: sources[:, :1].clamp(max=0.5), pair(0.5, 0.5))
    assert values == pytest.approx({(0, 1): 0, (0, -1): 1, (1, 1): 0, (1, -1): 0}, abs=1e-6)


def test_more_than_two_sources_have_their_turns():
    values = transfers(
        CLASSICAL["average"](),
        pair(0.5, 0.4, 0.6),
    )
    assert list(values) == [(source, sign) for source in range(3) for sign in (1, -1)]
    assert list(values.values()) == pytest.approx([1 / 3] * 6, abs=1e-5)


def test_a_volume_is_fused_slice_by_slice_and_measured_as_a_whole():
    volume = replace(pair(0.5, 0.4, shape=(40, 40, 12)), spacing=(1, 1, 2))
    records = insertion_test(partial(FusionInferer(), network=Share(0.75, 0.25)), [volume])
    assert [record.transfer for record in records] == pytest.approx([0.75, 0.75, 0.25, 0.25], abs=1e-5)
    assert all(len(record.center) == 3 for record in records)


def test_networks_fuse_volumes_and_run_where_their_weights_are():
    class Half(nn.Conv2d):
        def __init__(self):
            super().__init__(2, 1, 1, bias=False)
            nn.init.constant_(self.weight, 0.5)

    records = insertion_test(Half(), [pair(0.5, 0.4, shape=(32, 32, 4))])
    assert [record.transfer for record in records] == pytest.approx([0.5] * 4, abs=1e-5)


def place(record: LesionRecord) -> tuple:
    return record.pair, record.source, record.sign, record.radius, record.center


def test_lesions_depend_on_seed_and_pair_alone():
    both = [pair(0.5, 0.4), pair(0.6, 0.4, name="2")]
    places = [place(record) for record in insertion_test(Share(1, 0), both)]
    assert places[4:] == [place(record) for record in insertion_test(Share(0, 1), both[1:])]
    assert places[:2] == [place(r) for r in insertion_test(Share(1, 0), both[:1], lesions_per_pair=2)]
    assert len(set(places)) == 8
    assert not set(places) & {place(record) for record in insertion_test(Share(1, 0), both, seed=1)}
    assert all(3 <= radius <= 9 for *_, radius, _ in places)


def test_a_lesion_without_a_place_is_left_out():
    records = insertion_test(Share(1, 0), [pair(0.5, 0.1)])
    assert [(record.number, record.source, record.sign) for record in records] == [
        (0, 0, 1), (1, 0, -1), (2, 1, 1)
    ]  # fmt: skip


def test_images_without_any_place_are_refused():
    sentence = "No pair has a place for a lesion: the images are empty or saturated; choose other pairs."
    with pytest.raises(FusionError, match=sentence):
        insertion_test(Share(1, 0), [pair(0, 0), pair(0.1, 0.1)])


def test_pairs_are_read_evenly_from_every_task(make_pairs):
    root = make_pairs({"pet_mr": (("mr", "pet"), 5), "ct_mr": (("mr", "ct"), 2)})
    pairs = read_pairs(Path(root), per_task=3)
    names = [(pair.task, pair.name) for pair in pairs]
    assert names == [
        ("pet_mr", "1.png"), ("pet_mr", "3.png"), ("pet_mr", "5.png"), ("ct_mr", "1.png"), ("ct_mr", "2.png")
    ]  # fmt: skip
    assert all(pair.sources.shape == (2, 56, 48) and pair.sources.max() <= 1 for pair in pairs)
