"""The one list of options: what it accepts, and that a new option is one line."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from volfuse.errors import FusionError
from volfuse.fusion.options import FusionOptions, listed
from volfuse.imaging import PLANES
from volfuse.imaging.luminance import COLORS

TABLE = tuple((n, n, 255) for n in range(256))
REPOSITORY = Path(__file__).parents[3]


def test_lists_arrays_and_single_texts_become_tuples() -> None:
    options = FusionOptions(windows="mr", colormaps=[None, np.array(TABLE, np.uint8)])
    assert options == FusionOptions(windows=("mr",), colormaps=(None, TABLE))


def test_options_survive_json() -> None:
    options = FusionOptions(["mr", (0.0, 200.5)], [None, TABLE], "published", "coronal", 4, False, True)
    assert FusionOptions.from_json(json.loads(json.dumps(asdict(options)))) == options


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("windows", 3, "a list of window names and (low, high) pairs, not 3."),
        ("windows", ["mr", [1]], "a list of window names and (low, high) pairs, not ('mr', (1,))."),
        ("windows", [[0, float("nan")]], "a list of window names and (low, high) pairs, not ((0, nan),)."),
        ("windows", [""], "a list of window names and (low, high) pairs, not ('',)."),
        ("colormaps", [TABLE[1:]], "a list of colour map names, tables of 256 RGB rows and None, not ((("),
        (
            "colormaps",
            [[[0, 0]] * 256],
            "a list of colour map names, tables of 256 RGB rows and None, not (((",
        ),
        ("color", "bright", "one of gamut, luminance, published, not 'bright'."),
        ("plane", "oblique", "one of axial, coronal, sagittal, not 'oblique'."),
        ("plane", ["axial"], "one of axial, coronal, sagittal, not ('axial',)."),
        ("batch_size", True, "a whole number from 0 to 512, not True."),
        ("batch_size", 2.0, "a whole number from 0 to 512, not 2.0."),
        ("batch_size", 513, "a whole number from 0 to 512, not 513."),
        ("mixed_precision", "yes", "true or false, not 'yes'."),
        ("contributions", 1, "true or false, not 1."),
    ],
)
def test_values_of_a_wrong_type_are_named(name: str, value: object, expected: str) -> None:
    with pytest.raises(FusionError) as error:
        FusionOptions(**{name: value})
    assert str(error.value).startswith(f"The option '{name}' must be {expected}")


@pytest.mark.parametrize(("name", "known"), [("plane", PLANES), ("color", COLORS)])
def test_the_choices_are_those_that_there_are(name: str, known: Mapping[str, object]) -> None:
    assert {each.name: each for each in listed()}[name].choices == tuple(known)


NEW_OPTION = '    dummy: float = option(0.25, "Dummy", "It does nothing.", bounds=(0, 1))\n'
FRONT_ENDS = {
    "command": """
from typer.testing import CliRunner
from volfuse.cli import app
text = " ".join(CliRunner().invoke(app, ["fuse", "--help"], env={"COLUMNS": "200"}).output.split())
assert "--dummy" in text and "It does nothing. [default: 0.25]" in text, text
""",
    "request": """
from volfuse.errors import FusionError
from volfuse.jobs import FusionRequest
data = FusionRequest(("a", "b"), "c", "pca").to_json()
assert data["options"]["dummy"] == 0.25
data["options"]["dummy"] = 2
try:
    FusionRequest.from_json(data)
except FusionError as error:
    assert str(error) == "The option 'dummy' must be a number from 0 to 1, not 2.", error
""",
    "server": """
from volfuse.label.server.parameters import InferParameters
dummy = InferParameters.model_json_schema()["properties"]["dummy"]
assert (dummy["type"], dummy["minimum"], dummy["maximum"], dummy["default"]) == ("number", 0, 1, 0.25), dummy
assert InferParameters.model_validate_json('{"dummy": 0.5}').dummy == 0.5
""",
    "panel": """
import os
os.environ["QT_QPA_PLATFORM"] = "offscreen"
import slicer
import standins
standins.install()
import qt
from SlicerFusionLib.option_widgets import option_widgets
from SlicerFusionLib.options import chosen_options
from SlicerFusionLib.parameters import FusionParameters
parameters = FusionParameters(slicer.vtkMRMLScriptedModuleNode())
assert parameters.dummy == 0.25
parameters.dummy = 0.5
assert chosen_options(parameters)["dummy"] == 0.5
application = qt.QApplication([])
section = qt.QWidget()
widgets = option_widgets(qt.QFormLayout(section), {})
parameters.connectParametersToGui(widgets)
dummy = widgets["dummy"]
assert (dummy.value, dummy.minimum, dummy.maximum, dummy.toolTip) == (0.5, 0, 1, "It does nothing.")
dummy.value = 0.75
assert parameters.dummy == 0.75
""",
}
NEEDS = {"server": ["fastapi"], "panel": ["slicer", "PySide6"]}


@pytest.mark.parametrize("front_end", FRONT_ENDS)
def test_a_new_option_is_one_line(front_end: str, tmp_path: Path) -> None:
    """The line is put into a copy of the package, and every front end finds the option there."""
    for package in NEEDS.get(front_end, ()):
        pytest.importorskip(package)
    shutil.copytree(
        REPOSITORY / "volfuse", tmp_path / "volfuse", ignore=shutil.ignore_patterns("__pycache__")
    )
    file = tmp_path / "volfuse" / "fusion" / "options.py"
    text = file.read_text(encoding="utf-8")
    before, after = text.split("\n    def __post_init__", 1)
    file.write_text(f"{before}{NEW_OPTION}\n    def __post_init__{after}", encoding="utf-8")
    paths = [tmp_path, REPOSITORY / "SlicerFusion", REPOSITORY / "tests" / "slicer" / "panel"]
    code = f"import sys; sys.path[:0] = {list(map(str, paths))}\n{FRONT_ENDS[front_end]}"
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
