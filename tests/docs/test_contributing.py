"""Following CONTRIBUTING.md from top to bottom, a newcomer's network is everywhere a model is chosen."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import SimpleITK as sitk

from tests.conftest import REPOSITORY
from tests.docs.pages import follow

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("contributing")]  # one worker follows the page, once

PANEL = "from SlicerFusionLib.models import available_models; print(*available_models())"


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which somebody has followed the page."""
    folder = tmp_path_factory.mktemp("newcomer")
    follow(REPOSITORY / "CONTRIBUTING.md", folder)
    return folder


def run(newcomer: Path, *arguments: str) -> str:
    paths = (newcomer, REPOSITORY, REPOSITORY / "SlicerFusion")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "VOLFUSE_BUNDLES": str(newcomer / "bundles"),
    }
    done = subprocess.run(
        [sys.executable, *arguments], check=True, env=environment, capture_output=True, encoding="utf-8"
    )
    return done.stdout


def test_the_network_is_listed_by_the_command_and_by_the_panel(newcomer: Path) -> None:
    assert "toynet" in run(newcomer, "-m", "volfuse", "models")
    assert "toynet" in run(newcomer, "-c", PANEL).split()


def test_the_trained_network_fuses_and_is_evaluated(newcomer: Path) -> None:
    fused = sitk.GetArrayFromImage(sitk.ReadImage(str(newcomer / "fused.png")))
    assert fused.shape == (80, 72) and fused.max() > 100
    assert "toynet" in (newcomer / "report" / "index.html").read_text(encoding="utf-8")
