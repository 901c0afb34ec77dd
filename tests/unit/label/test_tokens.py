import json
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from volfuse.cli import app
from volfuse.errors import FusionError
from volfuse.label.audit import AuditLog
from volfuse.label.layout import Layout
from volfuse.label.tokens import Access, ReaderTokens

COMMON = "the-token-of-all-of-them"


def test_without_readers_the_one_token_counts_and_with_them_it_is_worth_nothing(tmp_path: Path) -> None:
    readers = ReaderTokens(tmp_path / "readers" / "tokens.json")
    access = Access(COMMON, readers)
    assert access.reader(COMMON) == "" and access.reader("") is None and access.reader(f"{COMMON}x") is None
    first, second = readers.add("Dr. Ä"), readers.add("B")
    assert (access.reader(first), access.reader(second), access.reader(COMMON)) == ("Dr. Ä", "B", None)
    again = readers.add("B")
    assert access.reader(second) is None and access.reader(again) == "B"
    readers.revoke("B")
    assert access.reader(again) is None and access.reader(first) == "Dr. Ä"
    readers.revoke("Dr. Ä")
    assert access.reader(COMMON) is None, "the last reader's leaving opens the server to nobody"


def test_no_token_is_in_the_file_and_nobody_else_can_read_it(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    token = ReaderTokens(file).add("A")
    assert (
        token not in file.read_text(encoding="utf-8")
        and len(token) == 43
        and len(json.loads(file.read_text(encoding="utf-8"))["A"]) == 64
    )
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["{", "[]", '{"A": 1}'])
def test_a_damaged_file_lets_nobody_in(content: str, tmp_path: Path) -> None:
    readers = ReaderTokens(tmp_path / "tokens.json")
    token = readers.add("A")
    (tmp_path / "tokens.json").write_text(content)
    assert Access(COMMON, readers).reader(token) is None
    assert Access(COMMON, readers).reader(COMMON) is None


@pytest.mark.parametrize("name", ["", " A", "A\n", "x" * 101])
def test_a_name_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(FusionError, match="is no name of a reader"):
        ReaderTokens(tmp_path / "tokens.json").add(name)


def run(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["readers", *map(str, words)])
    return result.exit_code, result.output


def test_the_command_gives_names_and_takes_tokens(tmp_path: Path) -> None:
    access = Access(COMMON, ReaderTokens(Layout(tmp_path).readers))
    code, words = run("add", "Dr. A", "--studies", tmp_path)
    token = words.removeprefix("Token of Dr. A: ").strip()
    assert code == 0 and access.reader(token) == "Dr. A"
    assert run("list", "--studies", tmp_path) == (0, "Dr. A\n")
    code, words = run("revoke", "B", "--studies", tmp_path)
    assert code == 2 and "There is no reader 'B'; the readers are: Dr. A." in words
    assert run("revoke", "Dr. A", "--studies", tmp_path)[0] == 0 and access.reader(token) is None
    assert run("list", "--studies", tmp_path / "none")[0] == 2


def test_the_audit_log_only_grows(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    AuditLog(file).write("A", "PUT /x?y=1\n", 200)
    AuditLog(file).write("", "GET /z", 404)
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert [(line["reader"], line["what"], line["status"]) for line in lines] == [
        ("A", "PUT /x?y=1\n", 200),
        ("", "GET /z", 404),
    ]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
