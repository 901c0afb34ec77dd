import os
from pathlib import Path

import pytest

from volfuse.storage import PARTIAL, remove_partial, write_text_whole, write_whole


def test_a_file_appears_whole_and_its_folder_is_made(tmp_path: Path) -> None:
    path = write_text_whole(tmp_path / "new" / "a.json", "ä")
    assert path.read_text(encoding="utf-8") == "ä"
    assert [file.name for file in path.parent.iterdir()] == ["a.json"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = write_text_whole(tmp_path / "a.json", "old")

    def fail(partial: Path) -> None:
        partial.write_text("half")
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        write_whole(path, fail)
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.json"]  # noqa: PTH208


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    write_text_whole(tmp_path / "deep" / "a.json", "whole")
    (tmp_path / "deep" / f"{PARTIAL}1-a.json").write_text("half")
    remove_partial(tmp_path)
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["a.json"]
