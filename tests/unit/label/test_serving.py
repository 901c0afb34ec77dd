import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from volfuse.cli import app
from volfuse.label import serving


def serve(*options: object, **environment: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["serve", "--studies", *map(str, options)], env=environment)
    return result.exit_code, result.stderr


def test_without_the_extra_serve_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "find_spec", lambda name: None)
    code, error = serve(tmp_path)
    assert code == 2 and "pip install 'volfuse[label]'" in error and error.count("\n") == 1


def test_serve_says_what_is_wrong_with_its_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "find_spec", lambda name: object())
    for name in ("a_mr.nii", "a_pet.nii"):
        (tmp_path / name).touch()
    for options, sentence in (
        ((tmp_path / "none",), "There is no folder"),
        ((tmp_path, "--modalities", "mr"), "'mr' is not a pair of endings"),
        ((tmp_path, "--modalities", "../x,pet"), "is not a pair of endings"),
        ((tmp_path, "--modalities", "ct,mr"), "holds no case; put pairs such as patient7_ct.nii.gz"),
    ):
        code, error = serve(*options)
        assert code == 2 and sentence in error
    code, error = serve(tmp_path, VOLFUSE_TOKEN="short")
    assert code == 2 and "VOLFUSE_TOKEN must be 16 or more" in error


def test_only_loopback_addresses_are_called_so() -> None:
    assert all(map(serving.is_loopback, ("127.0.0.1", "localhost", "::1", "127.8.8.8")))
    assert not any(map(serving.is_loopback, ("0.0.0.0", "192.168.0.1", "::", "host.example")))


def test_what_starts_the_server_imports_neither_torch_nor_monai_label() -> None:
    code = "import sys, volfuse.label.serving; print({'torch', 'monai', 'monailabel', 'fastapi'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
