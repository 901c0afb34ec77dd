"""The registry, which tables and the documentation iterate over."""

import ast
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


def test_metrics_import_nothing_else_of_the_library_but_numerics_and_errors():
    imported = set()
    for path in Path(metrics.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                imported.add(node.module)
    own = {name for name in imported if name.startswith("volfuse")}
    assert {name.split(".")[1] for name in own} <= {"errors", "metrics", "numerics"}


def test_documentation_lists_every_metric():
    page = (Path(__file__).parents[3] / "docs" / "concepts" / "metrics.md").read_text()
    assert [name for name in METRICS if f"`{name}`" not in page] == []
