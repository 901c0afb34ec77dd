"""Discs: a DICOMDIR leads to its images, and to nothing else."""

from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from tests.dicom_objects import write, write_slices
from volfuse.errors import FusionError
from volfuse.imaging.dicom import finding, list_series, read_dicom
from volfuse.imaging.stored import Reading

STACK = [(0.0, 0.0, 4.0 * k) for k in range(4)]


def directory(path: Path, files: list[list[str]]) -> Path:
    """Write a DICOMDIR that lists files by the parts of their paths."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.1.3.10", "1.2.3.99"
    records = []
    for parts in files:
        record = Dataset()
        record.DirectoryRecordType, record.ReferencedFileID = "IMAGE", parts
        records.append(record)
    dataset.DirectoryRecordSequence = Items(records)
    return write(path, dataset)


def test_a_directory_leads_to_the_files_it_lists(tmp_path: Path) -> None:
    write_slices(tmp_path / "a", STACK)
    write_slices(tmp_path / "b", STACK, SeriesInstanceUID="1.9")
    path = directory(tmp_path / "DICOMDIR", [["A", f"{k:03d}.DCM"] for k in range(4)])
    assert [each.size for each in list_series(path)] == [(8, 10, 4)]
    assert read_dicom(path, Reading()).voxels.shape == (8, 10, 4)
    assert len(list_series(tmp_path)) == 2


def test_a_file_that_is_listed_and_missing_is_named(tmp_path: Path) -> None:
    write_slices(tmp_path / "a", STACK)
    path = directory(tmp_path / "DICOMDIR", [["a", f"{k:03d}.dcm"] for k in range(5)])
    with pytest.raises(FusionError, match=r"^The DICOM series in DICOMDIR is damaged: 004\.dcm is missing;"):
        read_dicom(path, Reading())


@pytest.mark.parametrize("parts", [["..", "secret"], ["/etc/passwd"], ["a", "..\\b"]])
def test_a_directory_leads_nowhere_else(tmp_path: Path, parts: list[str]) -> None:
    path = directory(tmp_path / "disc" / "DICOMDIR", [["a", "000.dcm"], parts])
    with pytest.raises(
        FusionError, match=r"^DICOMDIR (lists a file outside|could not be read)|holds no DICOM"
    ):
        read_dicom(path, Reading())


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "MOST_FILES", 3)
    with pytest.raises(
        FusionError, match=r"^The folder ct holds more than 3 files; give the folder of one study\.$"
    ):
        read_dicom(write_slices(tmp_path / "ct", STACK), Reading())
