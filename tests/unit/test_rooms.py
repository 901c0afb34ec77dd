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


# The rooms at the bottom, and what of the library they may import besides choices and errors.
BOTTOM = {
    "numerics": set(),
    "metrics": {"numerics"},
    "classical": {"numerics"},
    "losses": {"metrics", "numerics"},
    "networks": {"metrics", "numerics"},
}


def imported(path: Path) -> set[str]:
    """Return the modules that a file imports anywhere."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def packages(path: Path) -> set[str]:
    """Return the packages that a file imports anywhere."""
    return {name.partition(".")[0] for name in imported(path)}


@pytest.mark.parametrize("package", ROOMS)
def test_a_package_is_imported_in_its_rooms_alone(package: str) -> None:
    users = {
        path.relative_to(LIBRARY).parts[0] for path in LIBRARY.rglob("*.py") if package in packages(path)
    }
    assert users <= ROOMS[package]


def test_the_library_imports_nothing_of_what_stands_on_it() -> None:
    above = {"SlicerFusion", "SlicerFusionLib", "label_app", "benchmarks", "tests", "lib", "main"}
    assert [path for path in LIBRARY.rglob("*.py") if above & packages(path)] == []


@pytest.mark.parametrize("room", BOTTOM)
def test_the_rooms_at_the_bottom_stand_on_numerics(room: str) -> None:
    own = {
        name.split(".")[1]
        for path in (LIBRARY / room).rglob("*.py")
        for name in imported(path)
        if name.startswith("volfuse.")
    }
    assert own <= BOTTOM[room] | {room, "choices", "errors"}
