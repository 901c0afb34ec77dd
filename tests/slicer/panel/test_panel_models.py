"""The list of models in Slicer's process is that of the library."""

import subprocess
import sys
from pathlib import Path

import pytest

from SlicerFusionLib.models import Model, available_models
from SlicerFusionLib.quality import QUALITIES
from volfuse.catalogue import ClassicalModel, catalogue
from volfuse.metrics import METRICS

MODULE = Path(__file__).parents[3] / "SlicerFusion"


def test_models_are_those_of_the_catalogue_in_the_same_words() -> None:
    listed, known = available_models(), catalogue()
    assert listed.keys() == known.keys()
    for name, model in known.items():
        is_rule = isinstance(model, ClassicalModel)
        assert (listed[name].description, listed[name].is_trained) == (model.description, not is_rule)
        if is_rule:
            assert listed[name].title == model.rule.title


def test_a_model_that_is_installed_elsewhere_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = tmp_path / "newnet" / "configs" / "metadata.json"
    metadata.parent.mkdir(parents=True)
    metadata.write_text(
        '{"name": "NewNet", "description": "Best detail: for research",'
        ' "weights": {"model.pt": {}, "model_quality.pt": {"description": "Sharp: slower"}}}'
    )
    monkeypatch.setenv("VOLFUSE_BUNDLES", str(tmp_path))
    models = available_models()
    assert models["newnet"] == Model("newnet", "NewNet", "Best detail: for research", is_trained=True)
    assert models["newnet-quality"].description == "Sharp: slower"
    assert "lightfusionnet" in models


def test_the_list_says_plain_words_first_and_the_line_below_the_rest() -> None:
    model = Model("new", "NewNet", "Best detail: for research", True)
    assert (model.label, model.details) == ("Best detail (NewNet)", "For research")
    model = Model("new", "NewNet", "Made for CT", True)
    assert (model.label, model.details) == ("NewNet", "Made for CT")
    rule = Model("average", "Average", "Mean of the sources", False)
    assert (rule.label, rule.details) == ("Average (without training)", "Mean of the sources")


def test_quality_values_are_metrics_of_the_library() -> None:
    for quality in QUALITIES:
        metric = METRICS[quality.metric]
        better = "higher" if metric.higher_is_better else "lower"
        assert f"{better} is better" in quality.explanation


def test_the_panel_imports_neither_torch_nor_monai() -> None:
    """Only so does Slicer start fast, and without them installed."""
    code = (
        "import sys; sys.path[:0] = sys.argv[1:3]; import standins; standins.install();"
        "import SlicerFusion; from SlicerFusionLib import models; models.available_models();"
        "print({'torch', 'monai', 'SimpleITK', 'matplotlib'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(MODULE), str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "set()"
