"""What each source adds: asked for in the panel, placed in the scene, shown side by side."""

from collections.abc import Callable

import numpy as np
import pytest
import slicer
from standins.application import Application
from standins.scripted_worker import ScriptedWorker

from SlicerFusionLib.fusion_logic import FusionLogic
from SlicerFusionLib.parameters import FusionParameters
from SlicerFusionLib.volumes import likely_pair
from SlicerFusionLib.widget import FusionPanel


@pytest.fixture
def worker(
    panel: FusionPanel, get_parameters: Callable[[], FusionParameters], head: Callable, tmp_path: object
) -> ScriptedWorker:
    """A worker, with two volumes chosen and their contributions wanted."""
    worker, parameters = ScriptedWorker(tmp_path), get_parameters()
    panel.logic = FusionLogic(lambda: worker)
    parameters.reference, parameters.second = head("MR"), head("PET")
    parameters.model, parameters.contributions = "lightfusionnet", True
    return worker


def is_offered(panel: FusionPanel) -> bool:
    box = panel.ui.contributionsCheckBox
    return box.isVisibleTo(box.parentWidget())


def test_contributions_are_offered_only_where_the_model_can_tell(
    panel: FusionPanel, worker: ScriptedWorker, get_parameters: Callable[[], FusionParameters]
) -> None:
    assert is_offered(panel)
    get_parameters().model = "average"
    assert not is_offered(panel)
    panel.ui.fuseButton.click()
    assert not worker.requests[0].options.contributions


def test_a_comparison_makes_no_contributions(
    panel: FusionPanel, worker: ScriptedWorker, get_parameters: Callable[[], FusionParameters]
) -> None:
    get_parameters().compared_models = "lightfusionnet,average"
    panel.ui.compareButton.click()
    assert not worker.requests[0].options.contributions


def test_contributions_come_as_volumes_named_after_their_sources(
    panel: FusionPanel,
    worker: ScriptedWorker,
    get_parameters: Callable[[], FusionParameters],
    scene: slicer.vtkMRMLScene,
) -> None:
    sources = get_parameters().reference, get_parameters().second
    panel.ui.fuseButton.click()
    assert worker.requests[0].options.contributions
    worker.finish()
    panel._poll()
    fused = get_parameters().result
    assert fused.GetName() == "PET + MR (LightFusionNet)"
    volumes = [
        scene.GetFirstNodeByName(f"{fused.GetName()} {part}")
        for part in ("contribution of MR", "contribution of PET", "correction")
    ]
    total = sum(slicer.util.arrayFromVolume(volume) for volume in volumes)
    np.testing.assert_array_equal(total, slicer.util.arrayFromVolume(fused))
    selector = panel.ui.resultSelector
    assert [selector.itemText(row) for row in range(selector.count)] == ["None", fused.GetName()]
    assert likely_pair(scene) == sources


def test_contributions_are_shown_side_by_side_with_the_fused_volume(
    application: Application,
    panel: FusionPanel,
    worker: ScriptedWorker,
    get_parameters: Callable[[], FusionParameters],
) -> None:
    button = panel.ui.contributionsButton
    assert not button.isVisibleTo(button.parentWidget())
    panel.ui.fuseButton.click()
    worker.finish()
    panel._poll()
    assert button.isVisibleTo(button.parentWidget())
    button.click()
    pictures = {
        view: application.picture(view)[..., 0] for view in ("Fusion1", "Fusion2", "Fusion3", "Fusion4")
    }
    fused = pictures["Fusion1"]
    assert fused.max() > 200
    for view, share in (("Fusion2", 0.75), ("Fusion3", 0.5)):
        np.testing.assert_allclose(pictures[view], fused * share, atol=2)
    inside = fused > 50
    np.testing.assert_allclose(pictures["Fusion4"][inside], 127.5 - fused[inside] * 0.25, atol=2)
    slicer.mrmlScene.RemoveNode(get_parameters().second)
    panel._update()
    assert get_parameters().result is not None
