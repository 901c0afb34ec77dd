from pathlib import Path

import pytest

from volfuse.errors import FusionError
from volfuse.paths import check_paths


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("fused.xyz", "^'fused.xyz' names no format to write"),
        (".nii.gz", "^'.nii.gz' names no format to write"),
        ("nowhere/fused.nii", "nowhere does not exist; create it or choose another output.$"),
        ("mr.nii.gz", "mr.nii.gz is one of the sources; choose another output.$"),
    ],
)
def test_a_useless_output_is_refused(tmp_path: Path, output: str, message: str) -> None:
    source = tmp_path / "mr.nii.gz"
    source.touch()
    with pytest.raises(FusionError, match=message):
        check_paths([source], tmp_path / output)


def test_a_source_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FusionError, match="no.nii does not exist; check the path.$"):
        check_paths([tmp_path / "no.nii"], tmp_path / "fused.nii")


def test_a_folder_is_a_source_and_capitals_are_a_suffix(tmp_path: Path) -> None:
    check_paths([tmp_path], tmp_path / "FUSED.NII.GZ")
