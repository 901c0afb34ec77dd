import math
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("sklearn")

from volfuse.downstream import (
    compare,
    cross_validate,
    markdown,
    orientation_histograms,
    read_cases,
    write_texture_stacks,
)
from volfuse.errors import FusionError

LABELS = ["healthy"] * 10 + ["ill"] * 10


@pytest.mark.parametrize(("direction", "full_bin"), [("x", 0), ("y", 4), ("diagonal", 2)])
def test_the_gradient_of_a_ramp_fills_the_bin_of_its_direction(direction: str, full_bin: int) -> None:
    rows, columns = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    ramp = {"x": columns, "y": rows, "diagonal": (rows + columns) / math.sqrt(2)}[direction] / 64
    inner = orientation_histograms(ramp[None, None], regions=4).view(8, 4, 4)[:, 1:3, 1:3]
    torch.testing.assert_close(inner[full_bin], torch.full((2, 2), 8 / 64))
    assert inner.sum(dim=0).allclose(inner[full_bin])


def test_opposite_edges_count_as_one_direction() -> None:
    image = torch.rand(1, 1, 24, 24)
    torch.testing.assert_close(orientation_histograms(1 - image), orientation_histograms(image))


def test_separable_classes_get_full_marks_in_every_fold() -> None:
    scores = cross_validate(np.repeat([[0.0], [1.0]], 10, axis=0), LABELS)
    assert len(scores) == 5
    for score in scores:
        assert score.accuracy == score.precision == score.recall == score.f1 == score.auc == score.mcc == 1


def test_one_case_that_looks_like_the_other_class_costs_one_fold() -> None:
    values = np.repeat([[0.0], [1.0]], 10, axis=0)
    values[0] = 1
    scores = sorted(cross_validate(values, LABELS), key=lambda score: score.accuracy)
    assert [score.accuracy for score in scores] == [0.75, 1, 1, 1, 1]
    worst = scores[0]  # of two healthy one is right, of three called ill two are
    assert worst.recall == pytest.approx((1 / 2 + 1) / 2)
    assert worst.precision == pytest.approx((1 + 2 / 3) / 2)
    assert worst.f1 == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert worst.mcc == pytest.approx((1 * 2 - 0 * 1) / math.sqrt(1 * 2 * 3 * 2))
    assert worst.auc == pytest.approx(0.75)


def test_descriptors_without_information_are_at_chance() -> None:
    chance = np.random.default_rng(0)
    scores = [
        score for _ in range(10) for score in cross_validate(chance.normal(size=(100, 3)), ["a", "b"] * 50)
    ]
    assert abs(np.mean([score.mcc for score in scores])) < 0.12
    assert abs(np.mean([score.auc for score in scores]) - 0.5) < 0.06


def test_a_class_smaller_than_the_folds_is_refused() -> None:
    with pytest.raises(FusionError, match=r"^Class 'ill' has 3 cases, but 5 folds need 5 or more\.$"):
        cross_validate(np.zeros((13, 1)), LABELS[:13])


def test_fused_stacks_show_the_class_that_no_plane_shows(tmp_path: Path) -> None:
    cases = read_cases(write_texture_stacks(tmp_path, cases_per_class=8, num_planes=3))
    assert len(cases) == 32 and len(cases[0].sources) == 3
    steps = []
    results = compare(cases, ["laplacian_mean"], device="cpu", progress=lambda *step: steps.append(step))
    accuracy = {name: np.mean([score.accuracy for score in scores]) for name, scores in results.items()}
    assert accuracy["laplacian_mean"] == 1
    # The outer planes show one half and leave the other to chance, the plane between shows neither.
    assert 0.3 < (accuracy["source 0"] + accuracy["source 2"]) / 2 < 0.7
    assert accuracy["source 1"] < 0.5
    assert steps[-1] == (32, 32)
    lines = markdown(results).splitlines()
    assert lines[0] == "| input | accuracy | precision | recall | f1 | auc | mcc |"
    assert lines[-1].startswith("| laplacian_mean | 1.000 ± 0.000 |")


def test_a_folder_without_classes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "healthy" / "1").mkdir(parents=True)
    with pytest.raises(FusionError, match=r"must hold two folders or more, one per class, with a folder per"):
        read_cases(tmp_path)


def test_cases_of_unequal_length_are_named(tmp_path: Path) -> None:
    for case, planes in (("a/1", 2), ("a/2", 3), ("b/1", 2)):
        (tmp_path / case).mkdir(parents=True)
        for plane in range(planes):
            (tmp_path / case / f"{plane}.png").touch()
    with pytest.raises(
        FusionError, match=r"^Case a/2 has 3 images; .* as many as the first one has \(2\)\.$"
    ):
        read_cases(tmp_path)
