from pathlib import Path

import pytest

from volfuse.errors import FusionError
from volfuse.evaluation.values import ValueFile

HEADER = "task,split,pair,model,version,weights,sources,convention,volfuse"


def row(pair: str = "1.png", model: str = "average", **changes: str) -> dict[str, str]:
    origin = {"version": "1", "weights": "", "sources": "abc", "convention": "reference", "volfuse": "0"}
    return {"task": "pet", "split": "test", "pair": pair, "model": model} | origin | changes


def test_values_come_back_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "values.csv"
    ValueFile(path, ["en", "sd"]).add([row() | {"en": "1.5", "sd": "nan"}])
    values = ValueFile(path, ["en", "sd"])
    assert values.missing(row()) == []
    assert values.values(row())[0] == 1.5
    assert values.missing(row("2.png")) == ["en", "sd"] and values.values(row("2.png")) is None


@pytest.mark.parametrize("changed", ["version", "weights", "sources", "convention", "volfuse"])
def test_values_of_another_origin_do_not_count_and_are_replaced(tmp_path: Path, changed: str) -> None:
    path = tmp_path / "values.csv"
    values = ValueFile(path, ["en"])
    values.add([row() | {"en": "1.5"}])
    new = row(**{changed: "other"})
    assert values.missing(new) == ["en"]
    values.add([new | {"en": "2.5"}])
    values.sort([new])
    assert path.read_text(encoding="utf-8").splitlines()[1:] == [",".join([*new.values(), "2.5"])]


def test_another_metric_is_added_beside_those_there_are(tmp_path: Path) -> None:
    path = tmp_path / "values.csv"
    ValueFile(path, ["en"]).add([row() | {"en": "1.5"}])
    values = ValueFile(path, ["sd"])
    assert values.missing(row()) == ["sd"]
    values.add([row() | {"sd": "9"}])
    both = ValueFile(path, ["sd", "en"])
    assert both.values(row()) == [9, 1.5]


def test_a_stop_at_any_byte_loses_no_more_than_the_line(tmp_path: Path) -> None:
    path = tmp_path / "values.csv"
    rows = [row(f"{number}.png") for number in range(3)]
    ValueFile(path, ["en"]).add([each | {"en": "0.7134"} for each in rows])
    content = path.read_bytes()
    for length in range(len(content) + 1):
        path.write_bytes(content[:length])
        values = ValueFile(path, ["en"])
        complete = max(0, content[:length].count(b"\n") - 1)
        assert [values.values(each) for each in rows] == [[0.7134]] * complete + [None] * (3 - complete)
        assert path.read_text(encoding="utf-8").startswith(HEADER + ",en\n")


def test_rows_are_written_in_the_order_asked_for(tmp_path: Path) -> None:
    values = ValueFile(tmp_path / "values.csv", ["en"])
    values.add([row(pair) | {"en": "1"} for pair in ("3.png", "other.png", "1.png")])
    values.sort([row("1.png"), row("3.png")])
    lines = (tmp_path / "values.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[2] for line in lines[1:]] == ["1.png", "3.png", "other.png"]


def test_a_foreign_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "values.csv"
    path.write_text("name,age\nx,3\n")
    with pytest.raises(FusionError, match="is not a table of `volfuse evaluate`"):
        ValueFile(path, ["en"])
    assert path.read_text(encoding="utf-8") == "name,age\nx,3\n"


def test_a_file_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FusionError, match=r"file/values.csv could not be written; choose another folder"):
        ValueFile(tmp_path / "file" / "values.csv", ["en"])
