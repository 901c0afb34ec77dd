"""The list of models in Slicer's process is that of the library."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from SlicerFusionLib.models import available_models, details, label
from SlicerFusionLib.quality import QUALITIES
from volfuse.catalogue import catalogue
from volfuse.listing import ListedModel
from volfuse.metrics import METRICS

MODULE = Path(__file__).parents[3] / "SlicerFusion"


def test_models_for_two_volumes_are_listed_trained_ones_first(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {
        name: ListedModel(name, name, "Text", count, is_trained, False)
        for name, count, is_trained in (
            ("average", None, False),
            ("focus", 11, True),
            ("net", 2, True),
            ("lightfusionnet", 2, True),
        )
    }
    monkeypatch.setattr("SlicerFusionLib.models.listing", lambda: known)
    assert list(available_models()) == ["lightfusionnet", "net", "average"]


def test_every_model_of_the_library_that_takes_two_volumes_is_there() -> None:
    assert set(available_models()) == {
        name for name, model in catalogue().items() if model.num_sources in (2, None)
    }


def test_the_list_says_plain_words_first_and_the_line_below_the_rest() -> None:
    model = ListedModel("new", "NewNet", "Best detail: for research", 2, True, False)
    assert (label(model), details(model)) == ("Best detail (NewNet)", "For research")
    model = replace(model, description="Made for CT")
    assert (label(model), details(model)) == ("NewNet", "Made for CT")
    rule = ListedModel("average", "Average", "Mean of the sources", None, False, False)
    assert (label(rule), details(rule)) == ("Average (without training)", "Mean of the sources")


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
