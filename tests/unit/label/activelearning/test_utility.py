import math

import pytest
import torch

from volfuse.label.activelearning.utility import FEATURES, Answer, chances, describe, learn

BRIGHT, EDGES = FEATURES.index("brightness"), FEATURES.index("qabf")


def features(**values: float) -> torch.Tensor:
    return torch.tensor([values.get(name, 0.0) for name in FEATURES])


CASE = {"dim": features(brightness=0.2), "bright": features(brightness=0.4)}


def test_one_answer_gives_the_weight_that_the_likelihood_and_the_prior_give() -> None:
    """By hand: the scaled difference is 1 and the precision 7, so sigma(-w) = 7 w; then back from the scale 0.2."""
    weights = learn([Answer("a", "bright", "dim", 1.0)], {"a": CASE})
    weight = weights[BRIGHT].item() * 0.2
    assert 1 / (1 + math.exp(weight)) == pytest.approx(7 * weight, abs=1e-5)
    assert weights.count_nonzero() == 1


def test_acceptance_and_rejection_of_the_same_image_pull_in_opposite_ways() -> None:
    accepted, rejected = (learn([Answer("a", "bright", None, share)], {"a": CASE}) for share in (1.0, 0.0))
    assert accepted[BRIGHT] > 0
    torch.testing.assert_close(accepted, -rejected)
    undecided = learn([Answer("a", "bright", None, 0.5)], {"a": CASE})
    torch.testing.assert_close(undecided, torch.zeros(len(FEATURES)))


def test_more_answers_make_surer_and_contradictions_cancel() -> None:
    one, many = (learn([Answer("a", "bright", "dim", 1.0)] * count, {"a": CASE}) for count in (1, 20))
    assert many[BRIGHT] > 2 * one[BRIGHT]
    both = learn([Answer("a", "bright", "dim", 1.0), Answer("a", "dim", "bright", 1.0)], {"a": CASE})
    torch.testing.assert_close(both, torch.zeros(len(FEATURES)))
    torch.testing.assert_close(learn([], {}), torch.zeros(len(FEATURES)))


def test_a_known_reader_is_found_again() -> None:
    torch.manual_seed(1)
    truth = torch.linspace(-2, 3, len(FEATURES))
    cases = {str(number): {name: torch.randn(len(FEATURES)) for name in "xy"} for number in range(400)}
    answers = [
        Answer(name, "x", "y", float(torch.rand(()) < torch.sigmoid((known["x"] - known["y"]) @ truth)))
        for name, known in cases.items()
    ]
    learnt = learn(answers, cases)
    assert torch.corrcoef(torch.stack([learnt, truth]))[0, 1] > 0.95


def test_the_chances_follow_luce() -> None:
    weights = features(brightness=math.log(3) / 0.2)
    assert chances(weights, CASE) == pytest.approx({"dim": 0.25, "bright": 0.75}, rel=1e-4)


def test_the_properties_are_what_they_are_called() -> None:
    sources = torch.zeros(2, 2, 32, 32)
    sources[..., 8:24, 8:24] = 1
    described = describe(sources[:, :1], sources)
    assert described[BRIGHT] == pytest.approx(0.25) and described[EDGES] > 0.9
    assert describe(torch.rand(1, 1, 2, 2), torch.rand(1, 2, 2, 2)).isfinite().all()
