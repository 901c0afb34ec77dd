"""Install what fusing needs, and only when the user asks for it."""

import logging
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import slicer.util

from volfuse.errors import FusionError

_TORCH = "torch>=2.6"
_logger = logging.getLogger(__name__)


class Installer:
    """Knows which Python packages are missing, and installs them.

    Args:
        requirements: a requirements file of everything but PyTorch, which fits itself to the graphics card.
    """

    def __init__(self, requirements: Path) -> None:
        self._requirements = requirements

    def missing(self) -> list[str]:
        """Return the names of the packages that are not installed; imports none of them."""
        lines = self._requirements.read_text(encoding="utf-8").splitlines()
        names = [match[0] for line in [_TORCH, *lines] if (match := re.match(r"[A-Za-z][\w.-]*", line))]
        return [name for name in names if not _is_installed(name)]

    def install(self, wheels: Path | None = None) -> None:
        """Install what is missing.

        Args:
            wheels: a folder of wheels for computers without internet; ``None`` downloads them.

        Raises:
            FusionError: if that does not work; the log tells more.
        """
        try:
            if wheels:
                where = ["--no-index", "--find-links", str(wheels)]
                slicer.util.pip_install([*where, _TORCH, "-r", str(self._requirements)])
            else:
                self._download()
        except (subprocess.CalledProcessError, RuntimeError, OSError) as error:
            _logger.exception("Installing Python packages failed:")
            raise FusionError(
                f"The packages could not be installed from {wheels}; see the log for the one that is missing."
                if wheels
                else "The packages could not be downloaded; check the internet connection, or install from a folder."
            ) from error

    def _download(self) -> None:
        if "torch" in self.missing():
            if find_spec("PyTorchUtils") is None:
                raise FusionError(
                    "Install the extension PyTorch in the Extensions Manager first, and restart Slicer."
                )
            from PyTorchUtils import PyTorchUtilsLogic  # noqa: PLC0415 - part of another extension

            PyTorchUtilsLogic().installTorch(
                askConfirmation=False, torchVersionRequirement=_TORCH.removeprefix("torch")
            )
        if find_spec("slicer.packaging"):  # Slicer 5.12
            from slicer import packaging  # noqa: PLC0415 - see above

            needed = packaging.load_requirements(self._requirements)
            packaging.pip_ensure(needed, prompt_install=False, requester="SlicerFusion")
        else:
            slicer.util.pip_install(["-r", str(self._requirements)])


def _is_installed(name: str) -> bool:
    try:
        version(name)
    except PackageNotFoundError:
        return False
    return True
