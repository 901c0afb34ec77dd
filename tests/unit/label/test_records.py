import subprocess
import sys
from pathlib import Path

import pytest

from volfuse.label.errors import Damaged
from volfuse.label.records import NumberedRecords, read_record

DAMAGED = {"empty": b"", "half": b'{"a": ', "no text": b"\xff\xfe", "a list": b"[]", "deep": b"[" * 100_000}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_named_in_one_sentence_without_its_full_path(case: str, tmp_path: Path) -> None:
    file = tmp_path / "fusion" / "scores" / "case1.json"
    file.parent.mkdir(parents=True)
    file.write_bytes(DAMAGED[case])
    with pytest.raises(Damaged) as error:
        read_record(file)
    assert str(error.value) == (
        "fusion/scores/case1.json is damaged; bring it back from a backup, or remove it."
    )


def test_numbers_go_up_over_gaps_and_damaged_files(tmp_path: Path) -> None:
    records = NumberedRecords(tmp_path)
    assert [records.add(lambda number: {"n": number})["n"] for _ in range(2)] == [1, 2]
    records.file(2).write_text("{")
    records.file(7).write_text('{"m": 0}')
    assert records.add(lambda number: {"n": number}) == {"n": 8}
    read = records.read(lambda record: record["n"])
    assert list(read) == [1, 2, 7, 8] and (read[1], read[8]) == (1, 8)
    assert isinstance(read[2], Damaged) and isinstance(read[7], Damaged)


ADD = """
import sys, threading
from pathlib import Path
from volfuse.label.records import NumberedRecords

def add():
    for _ in range(10):
        NumberedRecords(Path(sys.argv[1])).add(lambda number: {"n": number})

threads = [threading.Thread(target=add) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


def test_neither_threads_nor_processes_get_a_number_twice(tmp_path: Path) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", ADD, str(tmp_path)]) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    assert list(NumberedRecords(tmp_path).read(lambda record: record["n"]).values()) == list(range(1, 41))
