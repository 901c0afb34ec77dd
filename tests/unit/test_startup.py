"""What answers at once: commands that compute nothing load none of the libraries that compute."""

import subprocess
import sys

import pytest

from volfuse import __version__

SLOW = {"torch", "monai", "numpy", "matplotlib", "SimpleITK"}


def run(*arguments: str) -> tuple[subprocess.CompletedProcess[str], set[str]]:
    """Run a command; returns it with the modules that it imported."""
    command = [sys.executable, "-X", "importtime", "-m", "volfuse", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8")
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return done, {line.rpartition("|")[2].strip() for line in lines}


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["--version"], f"volfuse {__version__}\n"),
        (["--help"], "Fuse co-registered medical images"),
        (["fuse", "--help"], "--window"),
        (["models"], "lightfusionnet"),
        (["models", "import", "--help"], "three files for crossfuse"),
    ],
)
def test_what_computes_nothing_imports_nothing_that_computes(arguments: list[str], answer: str) -> None:
    done, imported = run(*arguments)
    assert done.returncode == 0 and answer in done.stdout
    assert "volfuse.cli" in imported
    assert not imported & SLOW


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["fuse", "a.nii", "b.nii", "-o", "c.nii"], "a.nii does not exist"),
        (["fuse", ".", ".", "-o", "c.xyz"], "'c.xyz' names no format"),
        (["fuse", ".", ".", "-o", "c.nii", "--model", "none"], "There is no model 'none'"),
        (["register", ".", ".", "-o", "c.png"], "c.png can hold one slice"),
        (["models", "import", "fusionmamba", "a.pth"], "a.pth does not exist"),
    ],
)
def test_what_a_path_or_a_name_tells_is_refused_before_they_load(arguments: list[str], sentence: str) -> None:
    done, imported = run(*arguments)
    assert done.returncode == 2 and f"Error: {sentence}" in done.stderr
    assert not imported & SLOW
