"""The registry, which tables and the documentation iterate over."""

from pathlib import Path

from volfuse import metrics
from volfuse.metrics import METRICS


def test_names_and_labels_are_unique():
    assert [metric.name for metric in METRICS.values()] == list(METRICS)
    assert len({metric.label for metric in METRICS.values()}) == len(METRICS)


def test_every_function_is_public_and_documented():
    for metric in METRICS.values():
        assert getattr(metrics, metric.function.__name__) is metric.function
        assert metric.function.__doc__


def test_documentation_lists_every_metric():
    page = (Path(__file__).parents[3] / "docs" / "concepts" / "metrics.md").read_text(encoding="utf-8")
    assert [name for name in METRICS if f"`{name}`" not in page] == []
