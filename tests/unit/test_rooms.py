"""Which room of the library may import which package."""

import ast
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

LIBRARY = REPOSITORY / "volfuse"
ROOMS = {
    "monailabel": {"label"},
    "fastapi": {"label"},
    "slicer": {"mrml", "workbench"},
    "vtk": {"mrml", "workbench"},
    "qt": set(),
    "PySide6": set(),
}


def imported(path: Path) -> set[str]:
    """Return the packages that a file imports anywhere."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("package", ROOMS)
def test_a_package_is_imported_in_its_rooms_alone(package: str) -> None:
    users = {
        path.relative_to(LIBRARY).parts[0] for path in LIBRARY.rglob("*.py") if package in imported(path)
    }
    assert users <= ROOMS[package]


def test_the_library_imports_nothing_of_what_stands_on_it() -> None:
    above = {"SlicerFusion", "SlicerFusionLib", "label_app", "benchmarks", "tests", "lib", "main"}
    assert [path for path in LIBRARY.rglob("*.py") if above & imported(path)] == []
