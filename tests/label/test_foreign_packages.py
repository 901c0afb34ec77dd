"""Packages of other people that are called like parts of an app of MONAI Label."""

from pathlib import Path

import pytest

from tests.label.server_process import start, write_cases


def test_the_server_and_its_processes_run_where_other_packages_are_called_lib_and_main(
    tmp_path: Path,
) -> None:
    """MONAI Label loads ``main.py`` of an app, puts its folder on Python's path and drops a module called ``lib``."""
    pytest.importorskip("monailabel", reason="the extra label is not installed")
    studies, packages = tmp_path / "studies", tmp_path / "packages"
    studies.mkdir()
    write_cases(studies, 2)
    for name in ("lib", "main"):
        (packages / name).mkdir(parents=True)
        (packages / name / "__init__.py").touch()
    # Python imports it in every process before anything else.
    (packages / "sitecustomize.py").write_text("import lib, main")
    server = start(studies, first_on_path=[packages])
    try:
        assert server.get("/info/").json()["name"] == "SlicerFusion"
        for begin, state in (("/scoring/appearance", "/scoring/"), ("/batch/infer/average", "/batch/infer")):
            assert server.post(begin).status_code == 200
            assert server.wait_for(state)["status"] == "DONE"
        assert (studies / "fusion" / "scores" / "case0.json").is_file()
        assert (studies / "fusion" / "images" / "average" / "case1.nii.gz").is_file()
    finally:
        server.kill()
