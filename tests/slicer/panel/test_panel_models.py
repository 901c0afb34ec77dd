"""The list of models in Slicer's process is that of the library."""

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from SlicerFusionLib.models import available_models, details, label
from SlicerFusionLib.quality import QUALITIES
from volfuse.metrics import METRICS
from volfuse.models import DEFAULT_MODEL, catalogue

MODULE = Path(__file__).parents[3] / "SlicerFusion"


@dataclass(frozen=True)
class Words:
    """What a list reads of a model."""

    name: str
    title: str
    description: str
    is_trained: bool


def test_models_for_two_volumes_are_listed_trained_ones_first(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {
        name: Words(name, name, "Text", is_trained)
        for name, is_trained in (("average", False), ("net", True), (DEFAULT_MODEL, True))
    }
    monkeypatch.setattr("SlicerFusionLib.models.catalogue", lambda num_sources: known)
    assert list(available_models()) == [DEFAULT_MODEL, "net", "average"]


def test_every_model_of_the_library_that_takes_two_volumes_is_there() -> None:
    assert set(available_models()) == {
        name for name, model in catalogue().items() if model.num_sources in (2, None)
    }


def test_the_list_says_plain_words_first_and_the_line_below_the_rest() -> None:
    model = Words("new", "NewNet", "Best detail: for research", True)
    assert (label(model), details(model)) == ("Best detail (NewNet)", "For research")
    model = replace(model, description="Made for CT")
    assert (label(model), details(model)) == ("NewNet", "Made for CT")
    rule = Words("average", "Average", "Mean of the sources", False)
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
