"""What the ``.ui`` file, the parameters and the code promise each other."""

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
import qt
import slicer

from SlicerFusionLib.choices import Choice
from SlicerFusionLib.models import available_models
from SlicerFusionLib.options import OPTIONS
from SlicerFusionLib.parameters import FusionParameters
from SlicerFusionLib.result import MODEL_ATTRIBUTE
from SlicerFusionLib.widget import FusionPanel

MODULE = Path(__file__).parents[3] / "SlicerFusion"
UI = ElementTree.parse(MODULE / "Resources" / "UI" / "SlicerFusion.ui")
WIDGETS = {widget.get("name"): widget.get("class") for widget in UI.iter("widget")}
BOUND = {
    widget.find("property[@name='SlicerParameterName']/string").text: widget.get("name")
    for widget in UI.iter("widget")
    if widget.find("property[@name='SlicerParameterName']") is not None
}
BOUND_BY_CODE = {"model", "compared_models"}
MADE_BY_CODE = {option.name for option in OPTIONS} - set(BOUND)


def test_every_parameter_has_a_widget_and_every_name_in_the_file_is_a_parameter() -> None:
    assert set(BOUND) | BOUND_BY_CODE | MADE_BY_CODE == set(FusionParameters.allParameters)
    assert not set(BOUND) & BOUND_BY_CODE


def test_every_option_says_what_it_does(panel: FusionPanel) -> None:
    rows = panel.ui.advancedSection.layout()
    for option in OPTIONS:
        widget = panel.option_widgets[option.name]
        assert widget.toolTip == option.words
        title = widget.text if option.kind is bool else rows.labelForField(widget).text().rstrip(":")
        assert title == option.title


def test_every_widget_that_the_code_names_is_in_the_file() -> None:
    used = set()
    for path in (MODULE / "SlicerFusionLib").glob("*.py"):
        used |= set(re.findall(r"\bui\.(\w+)", path.read_text(encoding="utf-8")))
    assert used
    assert used <= set(WIDGETS)


def test_every_mrml_widget_gets_the_scene() -> None:
    connected = {
        connection.findtext("receiver")
        for connection in UI.iter("connection")
        if connection.findtext("signal") == "mrmlSceneChanged(vtkMRMLScene*)"
        and connection.findtext("slot") == "setMRMLScene(vtkMRMLScene*)"
    }
    root = next(UI.iter("widget")).get("name")
    assert connected == {name for name, kind in WIDGETS.items() if kind.startswith("qMRML")} - {root}


def test_every_class_that_is_not_of_qt_is_declared_with_its_header() -> None:
    declared = {each.findtext("class"): each.findtext("header") for each in UI.iter("customwidget")}
    used = {kind for kind in WIDGETS.values() if not re.match(r"Q[A-Z]", kind)}
    assert declared == {kind: f"{kind}.h" for kind in used}


def test_selectors_list_grey_and_colour_volumes_and_none_of_their_kin() -> None:
    selectors = [widget for widget in UI.iter("widget") if widget.get("class") == "qMRMLNodeComboBox"]
    assert len(selectors) == 3
    for selector in selectors:
        types = [each.text for each in selector.iterfind("property[@name='nodeTypes']/stringlist/string")]
        assert types == ["vtkMRMLScalarVolumeNode", "vtkMRMLVectorVolumeNode"]
        assert selector.findtext("property[@name='showChildNodeTypes']/bool") == "false"


def test_the_panel_says_that_it_is_no_medical_device() -> None:
    texts = [text.text for text in UI.iter("string")]
    assert "Not a medical device. For research only." in texts


def other_value(present: object, volume: object) -> object:
    """A valid value that a parameter does not have yet."""
    if isinstance(present, Choice):
        return list(type(present))[-1]
    if isinstance(present, bool):
        return not present
    return {int: 7, float: 0.25}.get(type(present), volume)


def shown(widget: object) -> object:
    """What the user sees chosen."""
    kind = type(widget).__name__
    if kind == "qMRMLNodeComboBox":
        return widget.currentNode()
    return getattr(widget, {"QComboBox": "currentText", "QCheckBox": "checked"}.get(kind, "value"))


def choose(widget: object, value: object) -> None:
    """Do what the user does."""
    kind = type(widget).__name__
    if kind == "qMRMLNodeComboBox":
        widget.setCurrentNode(value)
    elif kind == "QComboBox":
        widget.setCurrentIndex(list(type(value)).index(value))
    else:
        setattr(widget, "checked" if kind == "QCheckBox" else "value", value)


@pytest.mark.parametrize("name", sorted({*BOUND, *MADE_BY_CODE}))
def test_a_parameter_and_its_widget_follow_each_other(
    panel: FusionPanel, get_parameters: Callable[[], FusionParameters], head: Callable, name: str
) -> None:
    volume = head("MR")
    volume.SetAttribute(MODEL_ATTRIBUTE, "average")  # the selector of results lists no other
    parameters = get_parameters()
    widget = panel.option_widgets[name] if name in MADE_BY_CODE else getattr(panel.ui, BOUND[name])
    first = getattr(parameters, name)
    other = other_value(first, volume)
    setattr(parameters, name, other)
    assert shown(widget) == (other.text if isinstance(other, Choice) else other)
    choose(widget, first)
    assert getattr(parameters, name) == first


def test_the_lists_of_models_and_their_parameters_follow_each_other(
    panel: FusionPanel, get_parameters: Callable[[], FusionParameters]
) -> None:
    parameters, combo_box, checks = get_parameters(), panel.ui.modelComboBox, panel.ui.comparedModelsList
    names = list(available_models())
    parameters.model = "laplacian"
    assert combo_box.currentIndex == names.index("laplacian")
    combo_box.setCurrentIndex(names.index("maximum"))
    assert parameters.model == "maximum"
    parameters.compared_models = "average,pca"
    checked = [row for row in range(len(names)) if checks.item(row).checkState() == qt.Qt.Checked]
    assert checked == [names.index("average"), names.index("pca")]
    checks.item(names.index("average")).setCheckState(qt.Qt.Unchecked)
    assert parameters.compared_models == "pca"


def test_a_scene_keeps_the_choices(
    panel: FusionPanel, get_parameters: Callable[[], FusionParameters], tmp_path: Path
) -> None:
    parameters = get_parameters()
    parameters.plane = type(parameters.plane)("coronal")
    parameters.batch_size, parameters.blend, parameters.model = 9, 0.25, "maximum"
    options = panel.option_widgets
    file = tmp_path / "scene.mrml"
    slicer.mrmlScene.SetURL(str(file))
    slicer.mrmlScene.Commit()
    slicer.mrmlScene.Clear(False)
    assert options["plane"].currentText == "Axial"
    slicer.mrmlScene.SetURL(str(file))
    slicer.mrmlScene.Connect()
    assert options["plane"].currentText == "Coronal"
    assert (options["batch_size"].value, panel.ui.blendSlider.value) == (9, 0.25)
    assert panel.ui.modelComboBox.currentIndex == list(available_models()).index("maximum")
