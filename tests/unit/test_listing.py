import json
import subprocess
import sys
from pathlib import Path

import pytest

from volfuse import listing, networks
from volfuse.bundles import Bundle
from volfuse.catalogue import ClassicalModel, catalogue


def test_the_list_is_the_catalogue_in_the_same_words_and_order() -> None:
    listed, known = listing.listing(), catalogue()
    assert list(listed) == list(known)
    for name, model in known.items():
        entry = listed[name]
        assert (entry.name, entry.description, entry.num_sources) == (
            name,
            model.description,
            model.num_sources,
        )
        assert entry.is_trained == isinstance(model, Bundle)
        if isinstance(model, ClassicalModel):
            assert (entry.title, entry.has_contributions) == (model.rule.title, False)


def test_bundles_say_whether_their_network_can_tell_what_each_source_adds() -> None:
    for name, model in catalogue().items():
        if isinstance(model, Bundle):
            inference = json.loads((model.root / "configs" / "inference.json").read_text())
            network = getattr(networks, inference["network_def"]["_target_"].rpartition(".")[2])
            assert listing.listing()[name].has_contributions == hasattr(network, "contributions")
    assert listing.listing()["lightfusionnet"].has_contributions


def test_a_folder_of_bundles_comes_before_those_that_are_shipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for root, title in (("newnet", "NewNet"), ("lightfusionnet", "Other")):
        write_bundle(tmp_path / root, title)
    monkeypatch.setenv("VOLFUSE_BUNDLES", str(tmp_path))
    models = listing.listing()
    assert models["newnet"] == listing.ListedModel("newnet", "NewNet", "Best detail", 3, True, False)
    assert models["newnet-quality"].title == "NewNet-quality"
    assert models["newnet-quality"].description == "Sharp"
    assert models["lightfusionnet"].title == "Other"
    assert "average" in models


def test_listing_imports_neither_torch_nor_monai() -> None:
    code = "import sys; from volfuse.listing import listing; listing(); print({'torch', 'monai'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def write_bundle(root: Path, title: str) -> None:
    """Write what a list reads of a bundle: two models that fuse three images."""
    metadata = {
        "name": title,
        "description": "Best detail",
        "weights": {"model.pt": {}, "model_quality.pt": {"description": "Sharp"}},
        "network_data_format": {"inputs": {"image": {"num_channels": 3}}},
    }
    (root / "configs").mkdir(parents=True)
    (root / "configs" / "metadata.json").write_text(json.dumps(metadata))
    (root / "configs" / "inference.json").write_text('{"network_def": {"_target_": "elsewhere.NewNet"}}')
