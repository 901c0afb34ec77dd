"""The panel with the real worker process: from two volumes in the scene to a third one."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import slicer
from standins.application import Application, wait_until

import SlicerFusion
from SlicerFusionLib.choices import Preset
from SlicerFusionLib.display import lookup_table
from SlicerFusionLib.fusion_logic import FusionLogic, new_worker
from SlicerFusionLib.parameters import FusionParameters
from SlicerFusionLib.source import write_sources
from SlicerFusionLib.widget import FusionPanel
from volfuse.fusion.options import FusionOptions
from volfuse.fusion.pipeline import FusionPipeline
from volfuse.jobs import FusionWorker


@pytest.fixture(scope="module")
def worker() -> Iterator[FusionWorker]:
    """One worker for all tests of this file, because loading torch takes seconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        worker = new_worker()
    with worker:
        yield worker


@pytest.fixture
def warm_panel(panel: FusionPanel, worker: FusionWorker) -> Iterator[FusionPanel]:
    panel.logic = FusionLogic(lambda: worker)
    yield panel
    panel.logic = FusionLogic()  # closed with the panel instead of the common worker


@pytest.fixture
def long_pair(
    scene: slicer.vtkMRMLScene, add_volume: Callable, get_parameters: Callable[[], FusionParameters]
) -> None:
    """Two volumes that take some seconds to fuse."""
    parameters, voxels = (
        get_parameters(),
        np.random.default_rng(0).integers(0, 4095, (120, 200, 200), np.int16),
    )
    parameters.model = "lightfusionnet"
    parameters.reference, parameters.second = add_volume("MR", voxels), add_volume("PET", voxels[::-1].copy())


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*")} - {"worker.log"}


def test_fusing_in_the_panel_gives_the_voxels_of_the_pipeline(
    warm_panel: FusionPanel,
    worker: FusionWorker,
    get_parameters: Callable[[], FusionParameters],
    head: Callable,
    tmp_path: Path,
) -> None:
    parameters = get_parameters()
    parameters.reference, parameters.second = mr, pet = head("MR"), head("PET", 9.0, (20, 24, 10))
    parameters.preset, parameters.model = Preset.NUCLEAR_MR, "lightfusionnet"
    parameters.plane = type(parameters.plane)("coronal")
    warm_panel.ui.fuseButton.click()
    wait_until(lambda: not warm_panel.logic.busy)
    table = lookup_table(slicer.mrmlScene.GetNodeByID("vtkMRMLPETProceduralColorNodePET-Heat"))
    options = FusionOptions(windows=["mr", "pet"], colormaps=[None, table], plane="coronal")
    files = [source.file for source in write_sources(mr, pet, tmp_path)]
    expected = FusionPipeline("lightfusionnet").fuse(files, options)
    result = parameters.result
    assert result is not None, warm_panel.ui.statusLabel.text
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(result), expected.numpy().T)
    assert expected.numpy().std() > 20
    assert 0 < float(warm_panel.ui.qualityTable.item(0, 1).text()) <= 1
    assert files_in(worker.folder) == set()


def test_what_each_source_contributes_adds_up_to_exactly_the_fused_volume(
    warm_panel: FusionPanel,
    worker: FusionWorker,
    get_parameters: Callable[[], FusionParameters],
    head: Callable,
    scene: slicer.vtkMRMLScene,
) -> None:
    parameters = get_parameters()
    parameters.reference, parameters.second = head("MR"), head("PET", 9.0, (20, 24, 10))
    parameters.model, parameters.contributions = "lightfusionnet", True
    warm_panel.ui.fuseButton.click()
    wait_until(lambda: not warm_panel.logic.busy)
    name = parameters.result.GetName()
    total = sum(
        slicer.util.arrayFromVolume(scene.GetFirstNodeByName(f"{name} contribution of {source}"))
        for source in ("MR", "PET")
    )
    np.testing.assert_array_equal(np.rint(total), slicer.util.arrayFromVolume(parameters.result))
    assert files_in(worker.folder) == set()


def test_opening_the_panel_starts_the_process_and_closing_it_ends_it(panel: FusionPanel) -> None:
    worker = new_worker()
    panel.logic = FusionLogic(lambda: worker)
    panel.enter()
    process = psutil.Process(worker.pid)
    panel.exit()
    panel.enter()
    assert process.is_running() and worker.pid == process.pid
    panel.close()
    assert not process.is_running()
    assert not worker.folder.exists()


@pytest.mark.usefixtures("long_pair")
def test_cancel_returns_control_within_a_second_and_leaves_no_file(
    warm_panel: FusionPanel, worker: FusionWorker, get_parameters: Callable[[], FusionParameters]
) -> None:
    warm_panel.ui.fuseButton.click()
    wait_until(lambda: warm_panel.ui.progressBar.value > 1)
    begin = time.monotonic()
    warm_panel.ui.cancelButton.click()
    wait_until(lambda: not warm_panel.logic.busy)
    assert time.monotonic() - begin < 1
    assert warm_panel.ui.statusLabel.text == "Cancelled."
    assert warm_panel.ui.fuseButton.enabled
    assert get_parameters().result is None
    assert files_in(worker.folder) == set()


@pytest.mark.usefixtures("long_pair")
def test_a_worker_killed_in_mid_job_gives_one_sentence_and_an_enabled_fuse_button(
    warm_panel: FusionPanel, worker: FusionWorker
) -> None:
    warm_panel.ui.fuseButton.click()
    wait_until(lambda: warm_panel.ui.progressBar.value > 1)
    psutil.Process(worker.pid).kill()
    wait_until(lambda: not warm_panel.logic.busy)
    assert warm_panel.ui.statusLabel.text == (
        "The fusion stopped because its process was killed, perhaps for lack of memory; "
        "close other programs and try again."
    )
    assert warm_panel.ui.fuseButton.isVisibleTo(warm_panel.ui.fuseButton.parentWidget())
    assert warm_panel.ui.fuseButton.enabled
    assert files_in(worker.folder) == set()


@pytest.mark.usefixtures("long_pair")
def test_closing_the_scene_in_mid_job_leaves_no_process_and_no_file(
    panel: FusionPanel, scene: slicer.vtkMRMLScene
) -> None:
    worker = new_worker()
    panel.logic = FusionLogic(lambda: worker)
    panel.ui.fuseButton.click()
    process = psutil.Process(worker.pid)
    scene.Clear(False)
    assert not process.is_running()
    assert not worker.folder.exists()
    assert panel.ui.fuseButton.toolTip == "Choose a reference volume."


def test_the_self_test_of_the_module_passes(
    application: Application, worker: FusionWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It closes the common worker, so it stands last."""
    monkeypatch.setattr("SlicerFusionLib.fusion_logic.new_worker", lambda: worker)
    SlicerFusion.SlicerFusionTest().runTest()
    names = [volume.GetName() for volume in slicer.util.getNodesByClass("vtkMRMLVectorVolumeNode")]
    assert names == ["PhantomPET + PhantomMR (Average)"]
