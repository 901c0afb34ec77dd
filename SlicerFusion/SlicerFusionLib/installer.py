"""Install what fusing needs, and only when the user asks for it."""

import logging
import re
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import slicer.util
from packaging.requirements import Requirement

from volfuse.errors import FusionError

_TORCH = Requirement("torch>=2.6")
_logger = logging.getLogger(__name__)


class Installer:
    """Knows which Python packages are missing or do not fit, and installs them.

    Args:
        requirements: a requirements file of everything but PyTorch, which fits itself to the graphics card.
    """

    def __init__(self, requirements: Path) -> None:
        self._requirements = requirements

    def missing(self) -> list[str]:
        """Return what has to be installed, in words; imports nothing of it."""
        lines = self._requirements.read_text(encoding="utf-8").splitlines()
        needed = [Requirement(line) for line in lines if re.match(r"[A-Za-z]", line)]
        return [words for each in (_TORCH, *needed) if (words := _lacks(each))]

    def install(self, wheels: Path | None = None, *, again: bool = False) -> None:
        """Install what is missing.

        Args:
            wheels: a folder of wheels for computers without internet; ``None`` downloads them.
            again: install also what is there, because it does not load.

        Raises:
            FusionError: if that does not work; the log tells more.
        """
        try:
            if wheels:
                where = ["--no-index", "--find-links", str(wheels), *_how(again)]
                slicer.util.pip_install([*where, str(_TORCH), "-r", str(self._requirements)])
            else:
                self._download(again)
        except FusionError:
            raise
        except Exception as error:  # pip, the network, a library that does not load: each has its own
            _logger.exception("Installing Python packages failed:")
            raise FusionError(
                f"The packages could not be installed from {wheels}; see the log for the one that is missing."
                if wheels
                else "The packages could not be downloaded; check the internet connection, or install from a folder."
            ) from error

    def _download(self, again: bool) -> None:
        if again or _lacks(_TORCH):
            if find_spec("PyTorchUtils") is None:
                raise FusionError(
                    "Install the extension PyTorch in the Extensions Manager first, and restart Slicer."
                )
            from PyTorchUtils import PyTorchUtilsLogic  # noqa: PLC0415 - part of another extension

            if _installed(_TORCH):  # the extension keeps what is there, whatever its version
                slicer.util.pip_uninstall("torch")
            PyTorchUtilsLogic().installTorch(
                askConfirmation=False, torchVersionRequirement=str(_TORCH.specifier)
            )
        if find_spec("slicer.packaging") and not again:  # Slicer 5.12
            from slicer import packaging  # noqa: PLC0415 - see above

            needed = packaging.load_requirements(self._requirements)
            packaging.pip_ensure(needed, prompt_install=False, requester="SlicerFusion")
        else:
            slicer.util.pip_install([*_how(again), "-r", str(self._requirements)])


def _how(again: bool) -> list[str]:
    return ["--force-reinstall"] if again else []


def _installed(package: Requirement) -> str:
    try:
        return version(package.name)
    except PackageNotFoundError:
        return ""


def _lacks(package: Requirement) -> str:
    """Return what is wrong with a package in words; nothing if one is there that fits."""
    installed = _installed(package)
    if not installed:
        return package.name
    if package.specifier.contains(installed, prereleases=True):
        return ""
    return f"{package.name} {package.specifier}, not {installed}"
