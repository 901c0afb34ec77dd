"""How the panel shows a job, with a worker that says what the test writes down."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import slicer
from standins.scripted_worker import ScriptedWorker

from SlicerFusionLib import display
from SlicerFusionLib.choices import Colors
from SlicerFusionLib.fusion_logic import FusionLogic
from SlicerFusionLib.parameters import FusionParameters
from SlicerFusionLib.quality import QUALITIES
from SlicerFusionLib.widget import FusionPanel
from volfuse.errors import FusionError


@pytest.fixture
def worker(panel: FusionPanel, tmp_path: Path) -> ScriptedWorker:
    worker = ScriptedWorker(tmp_path)
    panel.logic = FusionLogic(lambda: worker)
    return worker


@pytest.fixture
def pair(
    get_parameters: Callable[[], FusionParameters], head: Callable
) -> tuple[slicer.vtkMRMLScalarVolumeNode, slicer.vtkMRMLScalarVolumeNode]:
    parameters = get_parameters()
    parameters.model = "laplacian"
    parameters.reference, parameters.second = volumes = head("MR"), head("PET")
    return volumes


def status(panel: FusionPanel) -> str:
    """Poll as the timer does, and read the status line."""
    panel._poll()
    return panel.ui.statusLabel.text


def buttons(panel: FusionPanel) -> tuple[bool, bool]:
    """Whether Fuse and Cancel are there."""
    return panel.ui.fuseButton.isVisibleTo(
        panel.ui.fuseButton.parentWidget()
    ), panel.ui.cancelButton.isVisibleTo(panel.ui.cancelButton.parentWidget())


@pytest.mark.usefixtures("pair")
def test_progress_is_shown_in_slices_with_the_time_left(panel: FusionPanel, worker: ScriptedWorker) -> None:
    assert buttons(panel) == (True, False)
    panel.ui.fuseButton.click()
    assert buttons(panel) == (False, True)
    assert not panel.ui.imagesSection.enabled
    worker.say("started")
    assert status(panel) == "Loading the model ..."
    assert panel.ui.progressBar.maximum == 0
    worker.say("progress", step="fuse", done=1, total=160)
    assert status(panel) == "1 of 160 slices"
    worker.say("progress", step="fuse", done=34, total=160, seconds_left=12.3)
    assert status(panel) == "34 of 160 slices, about 12 s left"
    assert (panel.ui.progressBar.value, panel.ui.progressBar.maximum) == (34, 160)
    worker.say("progress", step="fuse", done=35, total=160, seconds_left=70.0)
    assert status(panel) == "35 of 160 slices, about 1 min 10 s left"
    worker.say("progress", step="measure", done=1, total=9)
    assert status(panel) == "Measuring the quality ..."


@pytest.mark.usefixtures("pair")
def test_what_the_user_should_know_stands_below_the_result(
    panel: FusionPanel, worker: ScriptedWorker
) -> None:
    panel.ui.fuseButton.click()
    worker.finish("PET.nrrd covers 12% of MR.nrrd.", "PET.nrrd is odd.")
    assert status(panel) == (
        "Done in 3 s: PET + MR (Laplacian pyramid)\nNote: PET.nrrd covers 12% of MR.nrrd.\nNote: PET.nrrd is odd."
    )
    assert panel.ui.statusLabel.wordWrap


def test_a_result_is_placed_noted_measured_and_chosen(
    panel: FusionPanel, worker: ScriptedWorker, pair: tuple, get_parameters: Callable[[], FusionParameters]
) -> None:
    panel.ui.fuseButton.click()
    worker.finish()
    assert status(panel) == "Done in 3 s: PET + MR (Laplacian pyramid)"
    result = get_parameters().result
    assert result.GetName() == "PET + MR (Laplacian pyramid)"
    assert result.GetAttribute("SlicerFusion.Version") == "1.2"
    options = json.loads(result.GetAttribute("SlicerFusion.Options"))
    assert (options["plane"], options["device"], len(options["windows"])) == ("axial", "cpu", 2)
    assert panel.ui.keptLabel.text.startswith(
        "Laplacian pyramid: Keeps 0.7 of a lesion's contrast; loses 1 in "
    )
    assert panel.ui.qualitySection.collapsed and not panel.ui.qualitySection.isHidden()
    table = panel.ui.qualityTable
    assert [table.item(row, 0).text() for row in range(table.rowCount)] == [each.title for each in QUALITIES]
    assert [table.item(row, 1).text() for row in range(2)] == ["0.750", "-"]
    assert table.horizontalHeaderItem(1).text() == "Laplacian pyramid"
    assert "higher is better" in table.item(0, 0).toolTip()
    assert buttons(panel) == (True, False)
    assert list(worker.folder.iterdir()) == []


@pytest.mark.usefixtures("pair")
def test_the_request_says_what_was_chosen(
    panel: FusionPanel, worker: ScriptedWorker, get_parameters: Callable[[], FusionParameters]
) -> None:
    panel.option_widgets["plane"].setCurrentIndex(1)
    panel.ui.deviceComboBox.setCurrentIndex(1)
    panel.option_widgets["batch_size"].setValue(4)
    panel.option_widgets["mixed_precision"].setChecked(False)
    display = get_parameters().reference.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(50, 700)
    panel.ui.secondWindowComboBox.setCurrentIndex(3)
    panel.ui.secondColorsComboBox.setCurrentIndex(2)
    panel.ui.fuseButton.click()
    request = worker.requests[0]
    options = request.options
    assert (request.model, options.plane, request.device) == ("laplacian", "coronal", "cpu")
    assert (options.batch_size, options.mixed_precision) == (4, False)
    assert options.windows == ((50, 700), "pet")
    assert options.colormaps[0] is None
    red, green, blue = options.colormaps[1][80]  # of PET-Heat
    assert red > green > blue
    assert request.metrics == tuple(quality.metric for quality in QUALITIES)


@pytest.mark.usefixtures("pair")
def test_a_failure_is_one_sentence_and_fuse_can_be_pressed_again(
    panel: FusionPanel, worker: ScriptedWorker, get_parameters: Callable[[], FusionParameters], head: Callable
) -> None:
    panel.ui.fuseButton.click()
    worker.say("failed", message="There is too little memory.")
    assert status(panel) == "There is too little memory."
    assert "color" in panel.ui.statusLabel.styleSheet
    assert buttons(panel) == (True, False)
    assert panel.ui.fuseButton.enabled
    get_parameters().second = head("CT")
    assert panel.ui.statusLabel.text == ""


@pytest.mark.usefixtures("pair")
def test_a_worker_that_cannot_start_is_told_in_one_sentence(panel: FusionPanel) -> None:
    def refuse() -> ScriptedWorker:
        raise FusionError("PythonSlicer could not be started.")

    panel.logic = FusionLogic(refuse)
    panel.ui.fuseButton.click()
    assert panel.ui.statusLabel.text == "PythonSlicer could not be started."
    assert panel.ui.fuseButton.enabled


def test_a_worker_that_does_not_start_with_the_panel_is_told_at_the_first_fusion(
    panel: FusionPanel, worker: ScriptedWorker, pair: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_request: object) -> None:
        raise FusionError("PythonSlicer could not be started.")

    monkeypatch.setattr(worker, "start", refuse)
    monkeypatch.setattr(worker, "submit", refuse)
    panel.enter()
    assert panel.ui.statusLabel.text == ""
    panel.ui.fuseButton.click()
    assert panel.ui.statusLabel.text == "PythonSlicer could not be started."


@pytest.mark.usefixtures("pair")
def test_a_full_disk_is_told_and_leaves_no_file(
    panel: FusionPanel, worker: ScriptedWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("SlicerFusionLib.fusion_logic.write_sources", fail)
    panel.ui.fuseButton.click()
    assert panel.ui.statusLabel.text == "No space left on device"
    assert list(worker.folder.iterdir()) == []
    assert panel.ui.fuseButton.enabled


@pytest.mark.usefixtures("pair")
def test_cancel_asks_the_worker_and_waits_for_its_answer(panel: FusionPanel, worker: ScriptedWorker) -> None:
    panel.ui.fuseButton.click()
    panel.ui.cancelButton.click()
    assert worker.was_cancelled
    assert panel.ui.statusLabel.text == "Cancelling ..."
    assert buttons(panel) == (False, True)
    worker.say("cancelled")
    assert status(panel) == "Cancelled."
    assert buttons(panel) == (True, False)
    assert panel.ui.qualitySection.isHidden() and panel.ui.keptLabel.isHidden()


@pytest.mark.usefixtures("pair")
def test_several_methods_are_fused_one_after_another(
    panel: FusionPanel, worker: ScriptedWorker, get_parameters: Callable[[], FusionParameters]
) -> None:
    get_parameters().compared_models = "maximum"
    assert (panel.ui.compareButton.enabled, panel.ui.compareButton.toolTip) == (
        False,
        "Check two or more models.",
    )
    get_parameters().compared_models = "maximum,average"
    panel.ui.compareButton.click()
    worker.say("progress", step="fuse", done=1, total=12)
    assert status(panel) == "Model 1 of 2. 1 of 12 slices"
    worker.finish()
    assert status(panel) == "Model 2 of 2. Starting ..."
    worker.finish()
    assert status(panel) == "Done in 3 s: PET + MR (Average)"
    assert [request.model for request in worker.requests] == ["maximum", "average"]
    headers = [panel.ui.qualityTable.horizontalHeaderItem(column).text() for column in range(3)]
    assert headers == ["Quality", "Maximum", "Average"]


@pytest.mark.usefixtures("pair")
def test_a_comparison_that_fails_half_way_shows_what_it_has(
    panel: FusionPanel, worker: ScriptedWorker, get_parameters: Callable[[], FusionParameters]
) -> None:
    get_parameters().compared_models = "maximum,average,pca"
    panel.ui.compareButton.click()
    worker.finish()
    panel._poll()
    worker.say("failed", message="No memory.")
    assert status(panel) == "No memory."
    assert get_parameters().result.GetName() == "PET + MR (Maximum)"


def test_a_source_removed_in_mid_job_is_told(
    panel: FusionPanel, worker: ScriptedWorker, pair: tuple, scene: slicer.vtkMRMLScene
) -> None:
    panel.ui.fuseButton.click()
    scene.RemoveNode(pair[1])
    worker.finish()
    assert status(panel) == "A source volume was removed during the fusion; choose both again."


@pytest.mark.usefixtures("pair")
def test_another_module_does_not_stop_the_job(panel: FusionPanel, worker: ScriptedWorker) -> None:
    panel.ui.fuseButton.click()
    panel.exit()
    panel.enter()
    worker.finish()
    assert status(panel).startswith("Done")
    assert not worker.was_cancelled


@pytest.mark.usefixtures("pair")
def test_closing_the_scene_ends_the_job_and_leaves_a_panel_that_works(
    panel: FusionPanel, worker: ScriptedWorker, scene: slicer.vtkMRMLScene, head: Callable
) -> None:
    panel.ui.fuseButton.click()
    scene.Clear(False)
    assert worker.is_closed
    assert buttons(panel) == (True, False)
    assert panel.ui.statusLabel.text == "Choose a reference volume."
    head("MR"), head("PET")
    panel.enter()
    panel.ui.fuseButton.click()
    assert len(worker.requests) == 2


@pytest.mark.usefixtures("pair")
def test_loading_a_scene_ends_the_job_and_shows_its_choices(
    panel: FusionPanel, worker: ScriptedWorker, scene: slicer.vtkMRMLScene, tmp_path: Path
) -> None:
    scene.SetURL(str(tmp_path / "scene.mrml"))
    scene.Commit()
    panel.ui.fuseButton.click()
    scene.Connect()
    assert worker.is_closed
    assert panel.ui.modelDescription.text.startswith("The strongest detail")


@pytest.mark.usefixtures("pair")
def test_cleanup_closes_the_worker(panel: FusionPanel, worker: ScriptedWorker) -> None:
    panel.ui.fuseButton.click()
    panel.close()
    assert worker.is_closed


def test_the_sources_are_written_once_for_a_comparison(
    panel: FusionPanel,
    worker: ScriptedWorker,
    pair: tuple,
    get_parameters: Callable[[], FusionParameters],
) -> None:
    get_parameters().compared_models = "maximum,average"
    panel.ui.compareButton.click()
    slicer.util.arrayFromVolume(pair[0])[:] = np.arange(24)
    worker.finish()
    panel._poll()
    assert worker.requests[0].sources == worker.requests[1].sources


def test_the_overlay_has_the_colours_of_the_fused_volume(
    panel: FusionPanel,
    worker: ScriptedWorker,
    pair: tuple[slicer.vtkMRMLScalarVolumeNode, slicer.vtkMRMLScalarVolumeNode],
    get_parameters: Callable[[], FusionParameters],
) -> None:
    before = pair[0].GetDisplayNode().GetColorNodeID()
    get_parameters().second_colors = Colors.HEAT
    panel.ui.fuseButton.click()
    assert pair[1].GetDisplayNode().GetColorNodeID() == Colors.HEAT.value
    assert pair[0].GetDisplayNode().GetColorNodeID() == before
    np.testing.assert_array_equal(worker.requests[-1].options.colormaps[1], display.shown_table(pair[1]))
