import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from volfuse.errors import StorageError
from volfuse.storage import PARTIAL, remove_partial, write_whole


def files_in(folder: Path) -> list[str]:
    return os.listdir(folder)  # noqa: PTH208


def test_a_file_appears_whole_and_its_folder_is_made(tmp_path: Path) -> None:
    path = write_whole(tmp_path / "new" / "a.json", "ä\n")
    assert path.read_bytes() == b"\xc3\xa4\n"
    assert files_in(path.parent) == ["a.json"]


def test_bytes_stay_as_they_are(tmp_path: Path) -> None:
    assert write_whole(tmp_path / "a.png", b"\r\n\x00").read_bytes() == b"\r\n\x00"


def test_a_function_writes_beside_the_file_under_its_suffixes(tmp_path: Path) -> None:
    path = tmp_path / "a.nii.gz"

    def write(partial: Path) -> None:
        assert partial.parent == path.parent and partial.name.endswith(".nii.gz") and not path.exists()
        partial.write_text("whole")

    assert write_whole(path, write).read_text(encoding="utf-8") == "whole"


@pytest.mark.parametrize("failure", [OSError, RuntimeError, KeyboardInterrupt])
def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, failure: type[BaseException]) -> None:
    path = write_whole(tmp_path / "a.json", "old")

    def fail(partial: Path) -> None:
        partial.write_text("half")
        raise failure("no space")

    with pytest.raises(KeyboardInterrupt if failure is KeyboardInterrupt else StorageError):
        write_whole(path, fail)
    assert path.read_text(encoding="utf-8") == "old" and files_in(tmp_path) == ["a.json"]


def test_what_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError) as refusal:
        write_whole(tmp_path / "file" / "a.json", "{}")
    assert str(refusal.value) == (
        f"{tmp_path}/file/a.json could not be written; choose another folder, or check that this one is writable "
        "and has free space."
    )


def test_two_threads_that_write_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    path = tmp_path / "a.json"

    def write_often(writer: int) -> None:
        for number in range(300):
            write_whole(path, json.dumps([writer, number] * 500))
            assert len(json.loads(path.read_text(encoding="utf-8"))) == 1000

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write_often, range(2)))
    assert json.loads(path.read_text(encoding="utf-8"))[1] == 299
    assert files_in(tmp_path) == ["a.json"]


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    write_whole(tmp_path / "deep" / "a.json", "whole")
    (tmp_path / "deep" / f"{PARTIAL}1-a.json").write_text("half")
    remove_partial(tmp_path)
    assert files_in(tmp_path / "deep") == ["a.json"]
