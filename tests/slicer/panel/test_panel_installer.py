"""What is installed, from where, and only when the user asks."""

import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import ModuleType

import pytest
import slicer
import slicer.util

from SlicerFusion import SlicerFusionWidget
from SlicerFusionLib.installer import Installer
from SlicerFusionLib.widget import FusionPanel
from volfuse.errors import FusionError


@pytest.fixture
def requirements(tmp_path: Path) -> Path:
    file = tmp_path / "requirements.txt"
    file.write_text("# what fusing needs\nnumpy>=1\nno-such-package>=3,<4\n")
    return file


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Calls of ``slicer.util.pip_install``, which installs nothing here."""
    calls: list[list[str]] = []
    monkeypatch.setattr(slicer.util, "pip_install", calls.append)
    return calls


def test_missing_packages_are_named_without_importing_any(requirements: Path) -> None:
    assert Installer(requirements).missing() == ["no-such-package"]


def test_nothing_is_missing_where_the_tests_run() -> None:
    """The requirements file of the module names only what ``volfuse`` itself depends on."""
    file = Path(__file__).parents[3] / "SlicerFusion" / "Resources" / "requirements.txt"
    assert Installer(file).missing() == []


def test_a_folder_of_wheels_is_used_without_internet(
    requirements: Path, pip: list[list[str]], tmp_path: Path
) -> None:
    Installer(requirements).install(tmp_path)
    assert pip == [["--no-index", "--find-links", str(tmp_path), "torch>=2.6", "-r", str(requirements)]]


def test_slicer_5_10_installs_with_pip(
    requirements: Path, pip: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("SlicerFusionLib.installer.find_spec", lambda name: None)
    Installer(requirements).install()
    assert pip == [["-r", str(requirements)]]


def test_slicer_5_12_installs_with_its_own_packaging(
    requirements: Path, pip: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    packaging = ModuleType("slicer.packaging")
    packaging.__spec__ = sys.__spec__
    calls = []
    packaging.load_requirements = lambda path: Path(path).read_text(encoding="utf-8").splitlines()[1:]
    packaging.pip_ensure = lambda needed, **options: calls.append((needed, options))
    monkeypatch.setitem(sys.modules, "slicer.packaging", packaging)
    monkeypatch.setattr(slicer, "packaging", packaging, raising=False)
    Installer(requirements).install()
    options = {"prompt_install": False, "requester": "SlicerFusion"}
    assert calls == [(["numpy>=1", "no-such-package>=3,<4"], options)]
    assert pip == []


def test_torch_comes_from_the_pytorch_extension(
    requirements: Path, pip: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    installer, calls = Installer(requirements), []

    def version(_name: str) -> str:
        raise PackageNotFoundError

    monkeypatch.setattr("SlicerFusionLib.installer.version", version)
    with pytest.raises(FusionError, match=r"^Install the extension PyTorch in the Extensions Manager first"):
        installer.install()
    assert pip == []

    class Logic:
        def installTorch(self, **options: object) -> None:  # noqa: N802 - its name there
            calls.append(options)

    extension = ModuleType("PyTorchUtils")
    extension.__spec__ = sys.__spec__
    extension.PyTorchUtilsLogic = Logic
    monkeypatch.setitem(sys.modules, "PyTorchUtils", extension)
    installer.install()
    assert calls == [{"askConfirmation": False, "torchVersionRequirement": ">=2.6"}]


@pytest.mark.parametrize(
    "error",
    [
        subprocess.CalledProcessError(1, "pip"),
        ImportError("libtorch.so: undefined symbol"),  # PyTorchUtils imports torch when it has installed it
        ValueError("no compatible version"),
    ],
)
@pytest.mark.parametrize("wheels", [None, "wheels"])
def test_a_failure_is_one_sentence(
    requirements: Path, monkeypatch: pytest.MonkeyPatch, wheels: str | None, error: Exception
) -> None:
    def fail(_arguments: list[str]) -> None:
        raise error

    monkeypatch.setattr(slicer.util, "pip_install", fail)
    expected = "could not be installed from wheels" if wheels else "check the internet connection"
    with pytest.raises(FusionError, match=expected):
        Installer(requirements).install(wheels and Path(wheels))


def test_the_panel_offers_to_install_what_is_missing_and_then_fuses(
    panel: FusionPanel, module_widget: SlicerFusionWidget, head: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OfflineInstaller:
        folders: list[Path | None] = []  # noqa: RUF012 - read below

        def missing(self) -> list[str]:
            return [] if self.folders else ["torch", "monai"]

        def install(self, wheels: Path | None = None, *, again: bool = False) -> None:
            # Slicer 5.10 handles clicks while pip prints; they must not begin a second installation.
            assert not ui.installFrame.enabled and not ui.fuseButton.enabled
            ui.wheelsButton.directorySelected.emit("other wheels")
            if wheels is None:
                raise FusionError("The packages could not be downloaded.")
            self.folders.append(wheels)

    installer = OfflineInstaller()
    head("MR"), head("PET")
    fresh = FusionPanel(module_widget.parent.findChild(slicer.qMRMLWidget), panel._get_parameters, installer)
    ui = fresh.ui
    assert not ui.installFrame.isHidden()
    assert ui.fuseButton.toolTip == "Python packages are needed (torch, monai); install them first."
    assert not ui.fuseButton.enabled
    ui.installButton.click()
    assert ui.statusLabel.text == "The packages could not be downloaded."
    ui.wheelsButton.directory = "wheels"
    assert installer.folders == [Path("wheels")]
    assert ui.statusLabel.text == "The packages are installed."
    assert ui.installFrame.isHidden()
    assert ui.fuseButton.enabled
    fresh.close()


@pytest.fixture
def old_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = tmp_path / "old" / "torch-2.2.0.dist-info" / "METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.write_text("Metadata-Version: 2.1\nName: torch\nVersion: 2.2.0\n")
    monkeypatch.syspath_prepend(tmp_path / "old")


def test_a_package_that_is_too_old_is_named_with_its_version(requirements: Path, old_torch: None) -> None:
    assert Installer(requirements).missing() == ["torch >=2.6, not 2.2.0", "no-such-package"]


def test_an_old_torch_is_removed_first_because_the_extension_would_keep_it(
    requirements: Path, pip: list[list[str]], old_torch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    extension = ModuleType("PyTorchUtils")
    extension.__spec__ = sys.__spec__
    extension.PyTorchUtilsLogic = lambda: extension
    extension.installTorch = lambda **_options: calls.append("install")
    monkeypatch.setitem(sys.modules, "PyTorchUtils", extension)
    monkeypatch.setattr(slicer.util, "pip_uninstall", lambda name: calls.append(f"uninstall {name}"))
    Installer(requirements).install()
    assert calls == ["uninstall torch", "install"]


def test_packages_that_do_not_load_are_installed_again(
    requirements: Path, pip: list[list[str]], tmp_path: Path
) -> None:
    Installer(requirements).install(tmp_path, again=True)
    where = ["--no-index", "--find-links", str(tmp_path)]
    assert pip == [[*where, "--force-reinstall", "torch>=2.6", "-r", str(requirements)]]


def test_the_panel_offers_to_repair_packages_that_do_not_load(
    panel: FusionPanel, head: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    head("MR"), head("PET")
    panel.enter()
    panel._fuse()
    sentence = "The Python packages do not load (undefined symbol); install them again."
    panel.logic._worker.say("failed", message=sentence, lacks_packages=True)
    panel._poll()
    assert panel.ui.statusLabel.text == sentence
    assert not panel.ui.installFrame.isHidden()
    done: list[bool] = []
    monkeypatch.setattr(panel._installer, "install", lambda wheels, again: done.append(again))
    worker = panel.logic._worker
    panel.ui.installButton.click()
    assert done == [True]
    assert worker.is_closed
    assert panel.ui.installFrame.isHidden()
