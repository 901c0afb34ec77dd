import json
from itertools import count
from pathlib import Path

import pytest
import torch

from volfuse.label.activelearning import publishing
from volfuse.label.activelearning.publishing import own_loss, own_training, publish
from volfuse.losses import LesionLoss, QualityLoss
from volfuse.models import Bundle, bundles
from volfuse.models.packing import validate

CPU = torch.device("cpu")


@pytest.fixture
def base() -> Bundle:
    return bundles()["lightfusionnet"]


def changed(bundle: Bundle, by: float) -> dict[str, torch.Tensor]:
    state = torch.load(bundle.weights, weights_only=True)
    return {name: value + by if value.is_floating_point() else value for name, value in state.items()}


def test_a_round_becomes_a_model_beside_the_old_ones(
    base: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = base.weights_hash()
    monkeypatch.setenv("VOLFUSE_BUNDLES", str(tmp_path))
    first = publish(base, changed(base, 0.01), {"round": 1}, 1, tmp_path)
    second = publish(bundles()["lightfusionnet-round1"], changed(base, 0.02), {"round": 2}, 2, tmp_path)
    known = bundles()
    assert (first.name, second.name) == ("lightfusionnet-round1", "lightfusionnet-round2")
    assert known["lightfusionnet"].root == base.root and base.weights_hash() == shipped
    for model in (known[first.name], known[second.name]):
        assert validate(model) == [] and model.record["sha256"] == model.weights_hash()
    assert second.description == f"{base.description} (fine-tuned in round 2)"


@pytest.mark.parametrize(
    ("step", "call"),
    [("copytree", 1), ("write_whole", 1), ("write_whole", 2), ("write_whole", 3), ("load_network", 1)],
)
def test_a_publication_that_stops_anywhere_leaves_the_old_models(
    step: str, call: int, base: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOLFUSE_BUNDLES", str(tmp_path))
    target = {"copytree": publishing.shutil, "load_network": Bundle}.get(step, publishing)

    calls, work = count(1), getattr(target, step)

    def stop(*arguments: object, **options: object) -> object:
        if next(calls) == call:
            raise KeyboardInterrupt
        return work(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(target, step, stop)
        with pytest.raises(KeyboardInterrupt):
            publish(base, changed(base, 0.01), {"round": 1}, 1, tmp_path)
    assert list(bundles()) == [name for name in bundles() if "round" not in name]
    bundles()["lightfusionnet"].load_network(CPU)
    publish(base, changed(base, 0.01), {"round": 2}, 2, tmp_path)
    bundles()["lightfusionnet-round2"].load_network(CPU)


def test_every_bundle_is_tuned_with_the_loss_of_its_own_recipe(base: Bundle) -> None:
    def trains_for_quality(bundle: Bundle) -> bool:
        return any(isinstance(part, QualityLoss) for part in own_loss(bundle).modules())

    assert not trains_for_quality(base)
    assert trains_for_quality(Bundle(base.root, "model_quality.pt"))
    value = own_loss(base)(torch.rand(1, 1, 32, 32), torch.rand(1, 2, 32, 32))
    assert value.ndim == 0 and torch.isfinite(value)


def test_unionnet_is_tuned_with_the_lesions_of_its_training() -> None:
    loss, prepare = own_training(bundles()["unionnet"])
    crops = torch.full((2, 2, 48, 48), 0.5)
    both = prepare(crops)
    assert isinstance(loss, LesionLoss) and loss.weight == 8 and isinstance(loss.loss, QualityLoss)
    assert both.shape == (4, 2, 48, 48) and torch.equal(both[:2], crops) and not torch.equal(both[2:], crops)
    loss, prepare = own_training(bundles()["lightfusionnet"])
    assert torch.equal(prepare(crops), crops) and not isinstance(loss, LesionLoss)


def test_the_copy_keeps_the_metadata_but_the_weights(base: Bundle, tmp_path: Path) -> None:
    published = publish(base, changed(base, 0), {"round": 1}, 1, tmp_path)
    copied = json.loads((published.root / "configs" / "metadata.json").read_text(encoding="utf-8"))
    assert list(copied["weights"]) == ["model_round1.pt"]
    assert {**copied, "weights": None} == {**base.metadata, "weights": None}
