"""SlicerFusion: two scans of one patient become one volume that shows both. Metadata and glue; see SlicerFusionLib."""

from pathlib import Path

import slicer
import slicer.util
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

from SlicerFusionLib import sample_data, self_test
from SlicerFusionLib.installer import Installer
from SlicerFusionLib.parameters import FusionParameters
from SlicerFusionLib.widget import FusionPanel


class SlicerFusion(ScriptedLoadableModule):
    """What Slicer shows of the module before it is opened."""

    def __init__(self, parent: object) -> None:
        super().__init__(parent)
        parent.title = "Image Fusion"
        parent.categories = ["Nuclear Medicine", "Filtering"]
        parent.dependencies = ["SampleData"]
        parent.contributors = ["The SlicerFusion authors"]
        parent.helpText = (
            "Combines two registered scans of one patient, such as MR and PET, into one volume that shows both. "
            "<b>Not a medical device. For research only.</b>"
        )
        parent.acknowledgementText = (
            "Cite the paper of the model you used; every model names its own. Built on PyTorch and MONAI."
        )
        slicer.app.connect("startupCompleted()", sample_data.register)


class SlicerFusionWidget(ScriptedLoadableModuleWidget):
    """Puts the panel where Slicer wants it."""

    def setup(self) -> None:
        super().setup()
        widget = slicer.util.loadUI(self.resourcePath("UI/SlicerFusion.ui"))
        self.layout.addWidget(widget)
        installer = Installer(Path(self.resourcePath("requirements.txt")))
        self.panel = FusionPanel(widget, SlicerFusionLogic().get_parameters, installer)

    def cleanup(self) -> None:
        self.panel.close()

    def enter(self) -> None:
        self.panel.enter()

    def exit(self) -> None:
        self.panel.exit()


class SlicerFusionLogic(ScriptedLoadableModuleLogic):
    """Keeps the one parameter node of the module."""

    def get_parameters(self) -> FusionParameters:
        """Return the parameters in the present scene; makes them if there are none."""
        return FusionParameters(self.getParameterNode())


class SlicerFusionTest(ScriptedLoadableModuleTest):
    """What the button Reload and Test runs, and Slicer's own test of the extension."""

    def runTest(self) -> None:  # noqa: N802
        slicer.mrmlScene.Clear()
        self.delayDisplay("Fusing two phantoms of a head")
        self_test.fuse_phantoms(self, SlicerFusionLogic().get_parameters())
        self.delayDisplay("Done")
