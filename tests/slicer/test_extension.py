"""What the Extensions Index and Slicer's build ask of the repository; runs without Slicer."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import SimpleITK as sitk

REPOSITORY = Path(__file__).parents[2]
MODULE = REPOSITORY / "SlicerFusion"
PART_OF_SLICER = {"packaging", "slicer", "vtk", "numpy", "qt", "ctk", "SimpleITK"}
PART_OF_EXTENSION = {"SlicerFusionLib", "volfuse"}


def setting(name: str) -> str:
    """Return a variable of the extension's CMakeLists.txt."""
    return re.search(
        rf'^set\({name} "(.*)"\)$', (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8"), re.MULTILINE
    )[1]


def extension_name() -> str:
    return re.search(
        r"^project\((\w+)\)$", (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8"), re.MULTILINE
    )[1]


def scripts() -> list[Path]:
    return sorted(MODULE.rglob("*.py"))


def imports_at_file_scope(path: Path) -> Iterator[str]:
    """Yield the dotted names of modules that importing ``path`` imports."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def test_slicer_core_is_installed():
    pytest.importorskip(
        "slicer", reason="the tests on real MRML are left out; for them install volfuse[slicer-test]"
    )


def test_cmake_lists_every_file_of_the_module_and_nothing_else():
    text = (MODULE / "CMakeLists.txt").read_text(encoding="utf-8").replace("${MODULE_NAME}", "SlicerFusion")
    listed = {
        file
        for variable in ("MODULE_PYTHON_SCRIPTS", "MODULE_PYTHON_RESOURCES")
        for file in re.search(rf"set\({variable}\n(.*?)\)", text, re.DOTALL)[1].split()
    }
    present = {
        path.relative_to(MODULE).as_posix()
        for path in MODULE.rglob("*")
        if path.is_file() and path.name != "CMakeLists.txt" and "__pycache__" not in path.parts
    }
    assert sorted(listed) == sorted(present)


def test_the_index_entry_is_named_as_the_cmake_project_and_the_repository_is_named_after_both():
    name = extension_name()
    assert not name.lower().startswith("slicer")
    entry = json.loads((REPOSITORY / "docs" / f"{name}.json").read_text(encoding="utf-8"))
    assert entry["scm_url"].rsplit("/", 1)[1] == f"Slicer{name}"


def test_the_index_entry_agrees_with_cmake_and_has_no_key_beyond_its_schema():
    entry = json.loads((REPOSITORY / "docs" / f"{extension_name()}.json").read_text(encoding="utf-8"))
    assert entry == {
        "$schema": "https://raw.githubusercontent.com/Slicer/Slicer/main/Schemas/slicer-extension-catalog-entry-schema-v1.0.1.json#",
        "build_dependencies": setting("EXTENSION_DEPENDS").split(),
        "build_subdirectory": ".",
        "category": setting("EXTENSION_CATEGORY"),
        "scm_revision": "main",
        "scm_url": setting("EXTENSION_HOMEPAGE"),
        "tier": 1,
    }


def test_the_description_is_one_or_two_sentences_and_says_that_this_is_no_medical_device():
    description = setting("EXTENSION_DESCRIPTION")
    assert 1 <= description.count(". ") + 1 <= 2
    assert "not a medical device" in description


def test_the_urls_of_icon_and_screenshot_name_files_of_this_repository():
    owner_and_name = setting("EXTENSION_HOMEPAGE").removeprefix("https://github.com/")
    for url in (setting("EXTENSION_ICONURL"), setting("EXTENSION_SCREENSHOTURLS")):
        start = f"https://raw.githubusercontent.com/{owner_and_name}/main/"
        assert url.startswith(start)
        path = REPOSITORY / url.removeprefix(start)
        assert path.suffix == ".png"
        assert path.is_file()


def test_the_icon_has_the_size_slicer_asks_for_and_a_transparent_ground():
    icon = sitk.GetArrayFromImage(sitk.ReadImage(str(MODULE / "Resources" / "Icons" / "SlicerFusion.png")))
    assert icon.shape == (128, 128, 4)
    assert icon[0, 0, 3] == 0
    assert icon[64, 64, 3] == 255


def test_requirements_are_those_of_the_library_but_for_what_slicer_and_the_pytorch_extension_bring():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    brought = re.compile(r"(torch|numpy|SimpleITK|pydicom)\b")
    wanted = {line for line in project["dependencies"] if not brought.match(line)}
    lines = (MODULE / "Resources" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert {line for line in lines if line and not line.startswith("#")} == wanted


@pytest.mark.parametrize("path", scripts(), ids=lambda path: path.name)
def test_a_file_imports_at_its_head_only_what_slicer_and_the_extension_carry(path):
    roots = {name.split(".")[0] for name in imports_at_file_scope(path)}
    assert roots <= sys.stdlib_module_names | PART_OF_SLICER | PART_OF_EXTENSION


@pytest.mark.parametrize("path", scripts(), ids=lambda path: path.name)
def test_a_file_does_nothing_when_it_is_imported_but_define(path):
    definitions = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign
    body = ast.parse(path.read_text(encoding="utf-8")).body
    found = [node for node in body if not isinstance(node, definitions)]
    assert isinstance(found.pop(0).value, ast.Constant)  # the docstring
    if path.name == "__init__.py":  # puts volfuse of a checkout on the path
        found = [node for node in found if not isinstance(node, ast.If)]
    assert found == []


def test_what_the_module_imports_of_the_library_brings_neither_torch_nor_monai_into_slicer():
    imported = {name for path in scripts() for name in imports_at_file_scope(path)}
    library = sorted(name for name in imported if name.split(".")[0] == "volfuse")
    assert "volfuse.jobs" in library
    code = f"import sys, {', '.join(library)}; print(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert {"torch", "monai", "nibabel", "matplotlib"}.isdisjoint(loaded)


def test_the_mrml_layer_needs_neither_qt_nor_torch():
    pytest.importorskip("slicer")
    layer = ("checks", "display", "geometry", "request", "result", "source", "volumes")
    code = (
        f"import sys, {', '.join(f'SlicerFusionLib.{name}' for name in layer)}; print(*sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=MODULE
    )
    assert {"qt", "ctk", "PySide6", "torch", "monai"}.isdisjoint(done.stdout.split())
