import json
import subprocess
import sys
from pathlib import Path

import pytest

from volfuse import networks
from volfuse.classical import CLASSICAL
from volfuse.models import bundles, catalogue, rules


def test_the_catalogue_holds_bundles_then_rules() -> None:
    assert list(catalogue()) == [*bundles(), *rules()]
    assert list(rules()) == list(CLASSICAL)


def test_models_are_chosen_by_how_many_images_they_fuse() -> None:
    assert "tafie" in catalogue(num_sources=2)
    assert list(catalogue(num_sources=5)) == list(rules())


def test_bundles_say_whether_their_network_can_tell_what_each_source_adds() -> None:
    for bundle in bundles().values():
        inference = json.loads((bundle.root / "configs" / "inference.json").read_text(encoding="utf-8"))
        network = getattr(networks, inference["network_def"]["_target_"].rpartition(".")[2])
        assert bundle.has_contributions == hasattr(network, "contributions")
    assert bundles()["lightfusionnet"].has_contributions


def test_a_folder_of_bundles_comes_before_those_that_are_shipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for root, title in (("newnet", "NewNet"), ("lightfusionnet", "Other")):
        write_bundle(tmp_path / root, title)
    monkeypatch.setenv("VOLFUSE_BUNDLES", str(tmp_path))
    models = catalogue()
    new = models["newnet"]
    assert (new.title, new.description, new.num_sources, new.version) == ("NewNet", "Best detail", 3, "2.0")
    assert (new.is_trained, new.has_contributions) == (True, False)
    assert models["newnet-quality"].title == "NewNet-quality"
    assert models["newnet-quality"].description == "Sharp"
    assert models["lightfusionnet"].title == "Other"
    assert "average" in models


def test_the_catalogue_imports_neither_torch_nor_monai() -> None:
    code = "import sys; from volfuse.models import catalogue; catalogue(); print({'torch', 'monai'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def write_bundle(root: Path, title: str) -> None:
    """Write what a list reads of a bundle: two models that fuse three images."""
    metadata = {
        "name": title,
        "version": "2.0",
        "description": "Best detail",
        "weights": {"model.pt": {}, "model_quality.pt": {"description": "Sharp"}},
        "network_data_format": {"inputs": {"image": {"num_channels": 3}}},
    }
    (root / "configs").mkdir(parents=True)
    (root / "configs" / "metadata.json").write_text(json.dumps(metadata))
    (root / "configs" / "inference.json").write_text('{"network_def": {"_target_": "elsewhere.NewNet"}}')
