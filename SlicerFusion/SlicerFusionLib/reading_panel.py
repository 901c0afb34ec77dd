"""The part of the panel that shows a fused volume: blend, swipe, checkerboard, contributions, quality, side by side."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import NamedTuple

import qt
import slicer
import slicer.util

from SlicerFusionLib.contribution import contributions_of
from SlicerFusionLib.parameters import FusionParameters
from SlicerFusionLib.quality import QUALITIES, quality_of
from SlicerFusionLib.reading_tools import ReadingTools
from SlicerFusionLib.result import MODEL_ATTRIBUTE, SOURCE_ROLE
from volfuse.models import Model


class _View(NamedTuple):
    """What the parameters want the slice views to show."""

    result: slicer.vtkMRMLVolumeNode | None
    blend: float
    swipe: float
    checkerboard: bool
    pair: tuple[slicer.vtkMRMLVolumeNode | None, slicer.vtkMRMLVolumeNode | None]


class ReadingPanel:
    """Turns what the user chooses in the section Result into what the slice views show.

    The views change only when a choice changes: loading a scene leaves them as they were saved.

    Args:
        ui: the widgets by name.
        models: every model by name, for the titles in the table.
        tools: arranges the slice views.
    """

    def __init__(
        self, ui: SimpleNamespace, models: Mapping[str, Model], tools: ReadingTools | None = None
    ) -> None:
        self._ui = ui
        self._models = models
        self._tools = tools or ReadingTools()
        self._parameters: FusionParameters | None = None
        self._view: _View | None = None
        self._measured: Sequence[slicer.vtkMRMLVolumeNode] = ()
        for node_type in ("vtkMRMLScalarVolumeNode", "vtkMRMLVectorVolumeNode"):
            ui.resultSelector.addAttribute(node_type, MODEL_ATTRIBUTE)
        ui.showButton.connect("clicked(bool)", self.show)
        ui.contributionsButton.connect("clicked(bool)", self.show_contributions)

    def follow(self, parameters: FusionParameters) -> None:
        """Take up the parameters of a scene without touching the views."""
        self._parameters = parameters
        self._view = self._wanted()
        self._fill_widgets()

    def close_scene(self) -> None:
        """Release the parameters and nodes of a scene that closes, without touching the views."""
        self._parameters = None
        self._measured = ()
        self._tools.close_scene()

    def update(self) -> None:
        """React to changed parameters."""
        before, self._view = self._view, self._wanted()
        view = self._view
        if view == before:
            return
        self._fill_widgets()
        if not view.result:
            self._tools.remove_swipe()
        is_other_board = view.checkerboard and view.pair != before.pair
        is_other_result = view.result is not before.result and view.result is not None
        if view.checkerboard != before.checkerboard or is_other_board or is_other_result:
            self.show()
            return
        if view.blend != before.blend:
            self._tools.set_blend(view.blend)
        if view.swipe != before.swipe and view.result:
            self._tools.set_swipe(view.result, view.swipe)

    def show(self) -> None:
        """Show in all slice views what is chosen: the checkerboard, or the fused volume over its sources."""
        view = self._view
        if view.checkerboard and all(view.pair):
            self._tools.show_checkerboard(*view.pair)
        elif view.result:
            self._tools.show([*_sources(view.result), view.result], view.blend, view.swipe)
        elif all(view.pair):
            self._tools.show(view.pair)

    def show_contributions(self) -> None:
        """Show what each source adds to the fused volume, side by side with it and with the sources."""
        fused = self._view.result
        self._tools.show_side_by_side(_sources(fused), [fused, *contributions_of(fused)])

    def show_results(self, fused: Sequence[slicer.vtkMRMLVolumeNode]) -> None:
        """Show one new fused volume over its sources, or several side by side."""
        with slicer.util.NodeModify(self._parameters):
            self._parameters.checkerboard = False
            self._parameters.result = fused[-1]
        if len(fused) > 1:
            self._measured = fused
            self._fill_widgets()
            self._tools.show_side_by_side(_sources(fused[0]), fused)

    def _wanted(self) -> _View:
        chosen = self._parameters
        pair = chosen.reference, chosen.second
        return _View(chosen.result, chosen.blend, chosen.swipe, chosen.checkerboard, pair)

    def _fill_widgets(self) -> None:
        result = self._view.result
        if result not in self._measured:
            self._measured = (result,) if result else ()
        self._ui.showButton.setEnabled(result is not None)
        self._ui.blendSlider.setEnabled(result is not None)
        self._ui.swipeSlider.setEnabled(result is not None)
        has_contributions = result is not None and contributions_of(result) and _sources(result)
        self._ui.contributionsButton.setVisible(bool(has_contributions))
        self._ui.checkerboardCheckBox.setEnabled(all(self._view.pair))
        self._ui.keptLabel.setText("\n".join(self._kept(volume) for volume in self._measured))
        self._ui.keptLabel.setVisible(bool(self._measured))
        self._fill_table([(volume, quality_of(volume)) for volume in self._measured])

    def _kept(self, fused: slicer.vtkMRMLVolumeNode) -> str:
        """Say what the model of a fused volume keeps of a lesion that one scan alone shows."""
        model = self._models.get(fused.GetAttribute(MODEL_ATTRIBUTE))
        return f"{model.title}: {model.kept}" if model else ""

    def _fill_table(
        self, measured: Sequence[tuple[slicer.vtkMRMLVolumeNode, dict[str, float | None]]]
    ) -> None:
        table = self._ui.qualityTable
        self._ui.qualitySection.setVisible(any(values for _, values in measured))
        table.setRowCount(len(QUALITIES))
        table.setColumnCount(1 + len(measured))
        names = [volume.GetAttribute(MODEL_ATTRIBUTE) for volume, _ in measured]
        titles = [self._models[name].title if name in self._models else name for name in names]
        table.setHorizontalHeaderLabels(["Quality", *titles])
        for row, quality in enumerate(QUALITIES):
            numbers = [values.get(quality.metric) for _, values in measured]
            texts = [quality.title, *("-" if number is None else f"{number:.3f}" for number in numbers)]
            for column, text in enumerate(texts):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(quality.explanation)
                table.setItem(row, column, item)
        table.resizeColumnsToContents()


def _sources(fused: slicer.vtkMRMLVolumeNode) -> list[slicer.vtkMRMLVolumeNode]:
    """Return what ``fused`` was made of, or nothing if not all of it is in the scene any more."""
    count = fused.GetNumberOfNodeReferences(SOURCE_ROLE)
    sources = [fused.GetNthNodeReference(SOURCE_ROLE, index) for index in range(count)]
    return sources if all(sources) else []
