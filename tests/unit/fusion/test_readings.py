"""Options that say how a source is read reach the reader, from the library and from the command."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.conftest import write_array
from tests.dicom_objects import write_slices
from volfuse.cli import app
from volfuse.errors import FusionError
from volfuse.fusion.options import FusionOptions
from volfuse.fusion.pipeline import fuse

SEVERAL = "disc holds 2 DICOM series: 1 (CT, 8x10x9), 2 (CT, 8x10x12); choose one with --series 1."


@pytest.fixture
def disc(tmp_path: Path) -> Path:
    """A disc with a series of 9 slices, of which one is damaged, and one of 12."""
    folder = tmp_path / "disc"
    write_slices(folder / "a", [(0, 0, 4 * k) for k in range(9)], SeriesInstanceUID="1.1")
    (folder / "a" / "009.dcm").write_bytes(b"")
    write_slices(
        folder / "b", [(0, 0, 4 * k) for k in range(12) if k != 6] + [(0, 0, 48)], SeriesInstanceUID="1.2"
    )
    return folder


def test_series_and_damage_are_chosen_for_each_source(disc: Path) -> None:
    def size(**options: object) -> tuple[int, ...]:
        return tuple(fuse([disc, disc], "average", FusionOptions(**options), "cpu").shape)

    with pytest.raises(FusionError, match=r"^disc holds 2 DICOM series: "):
        size()
    assert size(series=("1", "1.2"), skip_damaged=True, rectify=True) == (1, 8, 10, 9)
    assert size(series="2", rectify=True) == (1, 8, 10, 13)
    with pytest.raises(FusionError, match=r"^The DICOM series in disc is damaged: 009\.dcm is empty;"):
        size(series="1", rectify=True)
    with pytest.raises(FusionError, match=r"^2 sources need one series or one each, not 3\.$"):
        size(series=("1", "2", "2"))


def test_a_number_does_not_matter_where_there_is_no_choice(disc: Path) -> None:
    options = FusionOptions(series="2", rectify=True)
    assert fuse([disc / "b", disc], "average", options, "cpu").shape == (1, 8, 10, 13)


def test_the_command_has_a_flag_for_each(disc: Path, tmp_path: Path) -> None:
    other = write_array(tmp_path / "mr.nrrd", np.random.default_rng(0).normal(size=(13, 10, 8)).astype("f"))
    arguments = ["fuse", str(disc), str(other), "-o", str(tmp_path / "fused.nrrd"), "--model", "average"]
    refused = CliRunner().invoke(app, arguments)
    assert refused.exit_code == 2 and SEVERAL in refused.output.replace("\n", " ")
    assert not (tmp_path / "fused.nrrd").exists()
    assert (
        CliRunner().invoke(app, [*arguments, "--series", "2", "--rectify", "--skip-damaged"]).exit_code == 0
    )
