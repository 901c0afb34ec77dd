"""The panel: connects the widgets to the parameter node, shows what the logic reports, and computes nothing."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import qt
import slicer
import slicer.util
import vtk
from slicer.util import VTKObservationMixin

from SlicerFusionLib.checks import reason_not_to_fuse
from SlicerFusionLib.fusion_logic import FusionLogic
from SlicerFusionLib.label_panel import LabelPanel
from SlicerFusionLib.model_lists import OneModel, SeveralModels
from SlicerFusionLib.models import available_models, details
from SlicerFusionLib.option_widgets import option_widgets
from SlicerFusionLib.parameters import FusionParameters
from SlicerFusionLib.presets import ChosenPreset
from SlicerFusionLib.reading_panel import ReadingPanel
from SlicerFusionLib.status import Status
from SlicerFusionLib.status_line import show_status
from SlicerFusionLib.volumes import likely_pair
from volfuse.errors import FusionError

_POLL_MILLISECONDS = 100


class PackageInstaller(Protocol):
    """What the panel needs of an installer."""

    def missing(self) -> list[str]:
        """Return the names of packages that are not installed."""

    def install(self, wheels: Path | None = None, *, again: bool = False) -> None:
        """Install them, or all of them again, or raise ``FusionError``."""


class FusionPanel(VTKObservationMixin):
    """Joins the widgets of ``SlicerFusion.ui`` to the parameter node and the logic.

    Args:
        widget: what ``slicer.util.loadUI`` returned.
        get_parameters: returns the parameters of the present scene.
        installer: installs what fusing needs.
        logic: fuses.

    Attributes:
        parameters: of the present scene; ``None`` while no scene is followed.
        option_widgets: of the options of one fusion, by name.
    """

    def __init__(
        self,
        widget: qt.QWidget,
        get_parameters: Callable[[], FusionParameters],
        installer: PackageInstaller,
        logic: FusionLogic | None = None,
    ) -> None:
        super().__init__()
        self.ui = slicer.util.childWidgetVariables(widget)
        self.logic = logic or FusionLogic()
        self._models = available_models()
        self._get_parameters = get_parameters
        self._installer = installer
        self._missing = installer.missing()
        self._is_installing = False
        self.parameters: FusionParameters | None = None
        self._gui_tag = 0
        self._preset: ChosenPreset | None = None
        self._checked: tuple[object, ...] = ()
        self._reason = ""
        self._is_entered = True
        widget.setMRMLScene(slicer.mrmlScene)
        self._bound = {
            name: each for each in vars(self.ui).values() if (name := each.property("SlicerParameterName"))
        }
        self.option_widgets = option_widgets(self.ui.advancedSection.layout(), self._bound)
        self._reading = ReadingPanel(self.ui, self._models)
        self._server = LabelPanel(self.ui)
        self._timer = qt.QTimer()
        self._timer.setInterval(_POLL_MILLISECONDS)
        self._connect()
        self.enter()

    def enter(self) -> None:
        """Take up the scene's parameters, fill in what they leave open, and let the worker load PyTorch meanwhile."""
        self._is_entered = True
        if self.parameters is None:
            self._follow(self._get_parameters())
        parameters = self.parameters
        with slicer.util.NodeModify(parameters):
            if not parameters.reference and not parameters.second:
                parameters.reference, parameters.second = likely_pair(slicer.mrmlScene)
            names = list(self._models)
            parameters.model = parameters.model or names[0]
            parameters.compared_models = parameters.compared_models or ",".join(names[:2])
        if not self._missing:
            self.logic.warm_up()
        self._update()

    def exit(self) -> None:
        """Another module is shown; what runs goes on."""
        self._is_entered = False

    def close(self) -> None:
        """End the worker and release everything; Slicer closes or reloads the module."""
        self._timer.stop()
        self._close_scene()
        self.removeObservers()
        self.logic.close()
        self._server.close()

    def _connect(self) -> None:
        self._timer.connect("timeout()", self._poll)
        self.ui.fuseButton.connect("clicked(bool)", self._fuse)
        self.ui.compareButton.connect("clicked(bool)", self._compare)
        self.ui.cancelButton.connect("clicked(bool)", self._cancel)
        self.ui.installButton.connect("clicked(bool)", self._install)
        self.ui.wheelsButton.connect("directorySelected(QString)", self._install_from)
        for event, react in (
            (slicer.vtkMRMLScene.StartCloseEvent, self._close_scene),
            (slicer.vtkMRMLScene.StartImportEvent, self._close_scene),
            (slicer.vtkMRMLScene.EndCloseEvent, self._return),
            (slicer.vtkMRMLScene.EndImportEvent, self._return),
        ):
            self.addObserver(slicer.mrmlScene, event, react)

    def _follow(self, parameters: FusionParameters) -> None:
        self.parameters = parameters
        models = list(self._models.values())
        # connectGui would find the names by itself, but returns no tag to disconnect the widgets with.
        self._gui_tag = parameters.connectParametersToGui(
            self._bound
            | self.option_widgets
            | {
                "model": OneModel(self.ui.modelComboBox, models),
                "compared_models": SeveralModels(self.ui.comparedModelsList, models),
            }
        )
        self._preset = ChosenPreset(parameters)
        self._reading.follow(parameters)
        # Last of all observers: what another program writes must have reached ``parameters`` first.
        self.addObserver(parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self._update, priority=-1.0)

    def _close_scene(self, *_event: object) -> None:
        """Stop what runs and release the parameters: the scene closes, or another one is loaded into it."""
        self.logic.close_scene()
        self._server.close_scene()
        if self.parameters is None:
            return
        self.removeObserver(self.parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self._update)
        self.parameters.disconnectGui(self._gui_tag)
        self.parameters = None
        self._reading.close_scene()

    def _return(self, *_event: object) -> None:
        if self._is_entered:
            self.enter()

    def _fuse(self) -> None:
        self._start([self.parameters.model])

    def _compare(self) -> None:
        self._start(self._compared())

    def _start(self, names: Sequence[str]) -> None:
        self._check(again=True)
        if not self._reason:
            self.logic.start(self.parameters, [self._models[name] for name in names])
            self._timer.start()
        self._update()

    def _cancel(self) -> None:
        self.logic.cancel()
        self._update()

    def _poll(self) -> None:
        self.logic.poll()
        if not self.logic.busy:
            self._timer.stop()
            if self.logic.results:
                self._reading.show_results(self.logic.results)
        self._update()

    def _install(self) -> None:
        self._install_from("")

    def _install_from(self, folder: str) -> None:
        if self._is_installing:  # pip lets Qt react to clicks while it runs
            return
        self._is_installing = True
        self._show_status(Status("Installing; this can take some minutes ..."))
        self._show_buttons()
        slicer.app.processEvents()
        try:
            self._installer.install(Path(folder) if folder else None, again=self.logic.lacks_packages)
            status = Status("The packages are installed.")
        except FusionError as error:
            status = Status(str(error), is_error=True)
        finally:
            self._is_installing = False
        self.logic.close()  # the worker has seen the packages as they were
        self.logic.status = status
        self._missing = self._installer.missing()
        self._check(again=True)
        self.enter()

    def _compared(self) -> list[str]:
        return [name for name in self.parameters.compared_models.split(",") if name in self._models]

    def _check(self, *, again: bool = False) -> None:
        """Find out why fusing is not possible; looks at voxels only if a volume or the model has changed."""
        volumes = self.parameters.reference, self.parameters.second
        changed = tuple(volume.GetMTime() if volume else 0 for volume in volumes)
        checked = self.parameters.model, volumes, changed
        if checked == self._checked and not again:
            return
        if checked != self._checked and not self.logic.busy:
            self.logic.status = Status()  # it spoke of other volumes
        self._checked = checked
        if self._missing:
            self._reason = f"Python packages are needed ({', '.join(self._missing)}); install them first."
        elif self.parameters.model not in self._models:
            self._reason = f"The model '{self.parameters.model}' is not installed; choose another."
        else:
            self._reason = reason_not_to_fuse(*volumes)

    def _update(self, *_event: object) -> None:
        """Show the present state; called after everything that happens."""
        if self.parameters is None:
            return
        self._preset.update()
        self._check()
        self._reading.update()
        self._show_model()
        self._show_buttons()
        self._show_status(self.logic.status if self.logic.status.text else Status(self._reason))

    def _show_model(self) -> None:
        model = self._models.get(self.parameters.model)
        self.ui.modelDescription.setText(details(model) if model else "")
        self.ui.contributionsCheckBox.setVisible(model is not None and model.has_contributions)

    def _show_buttons(self) -> None:
        busy = self.logic.busy
        for section in (self.ui.imagesSection, self.ui.advancedSection, self.ui.compareSection):
            section.setEnabled(not busy and not self._is_installing)
        self.ui.installFrame.setVisible(bool(self._missing) or self.logic.lacks_packages)
        self.ui.installFrame.setEnabled(not self._is_installing)
        self.ui.fuseButton.setVisible(not busy)
        self.ui.cancelButton.setVisible(busy)
        self.ui.fuseButton.setEnabled(not self._reason and not self._is_installing)
        self.ui.fuseButton.setToolTip(self._reason or "Make one volume that shows both.")
        reason = self._reason or ("" if len(self._compared()) > 1 else "Check two or more models.")
        self.ui.compareButton.setEnabled(not reason and not self._is_installing)
        self.ui.compareButton.setToolTip(reason or "Fuse with every checked model, one after another.")

    def _show_status(self, status: Status) -> None:
        show_status(status, self.ui.statusLabel, self.ui.progressBar, is_busy=self.logic.busy)
