"""Which parts of the panel's tests this environment can run."""

import importlib.util
import os
import sys

import pytest


def test_pyside_is_there() -> None:
    """Without it no test of the panel runs."""
    if importlib.util.find_spec("PySide6") is None:
        pytest.skip("PySide6-Essentials is not installed, so the panel is not tested")


def test_the_base_classes_are_those_of_slicers_sources() -> None:
    """With SLICER_SOURCE_DIR set, every test of the panel runs on Slicer's own files."""
    sources = os.environ.get("SLICER_SOURCE_DIR")
    if not sources:
        pytest.skip("SLICER_SOURCE_DIR names no checkout of Slicer's sources, so stand-ins take their place")
    for name in ("ScriptedLoadableModule", "parameterNodeWrapper"):
        assert sys.modules[f"slicer.{name}"].__file__.startswith(sources)
