"""One version number: the package's. The citation file cannot read it, so it is compared."""

import tomllib

import yaml

from tests.conftest import REPOSITORY
from volfuse import __version__


def test_the_citation_names_the_version_of_the_package() -> None:
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__


def test_the_project_reads_its_version_from_the_package() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"] and "version" not in project["project"]
    assert project["tool"]["hatch"]["version"]["path"] == "volfuse/__init__.py"
