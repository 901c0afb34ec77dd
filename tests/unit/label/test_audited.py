import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from volfuse.label.audit import AuditLog
from volfuse.label.server.audited import Audited


async def answer(_scope: Any, _receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b"a scan"})


def ask(log: Path, method: str, path: str) -> list[Any]:
    """Return what a client is sent."""
    sent: list[Any] = []
    scope = {"type": "http", "method": method, "path": path, "query_string": b"image=a", "reader": "Dr. A"}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(Audited(answer, AuditLog(log))(scope, answer, send))
    return sent


@pytest.mark.parametrize(
    ("method", "path", "is_logged"),
    [
        ("PUT", "/datastore/label", True),
        ("POST", "/train/x", True),
        ("DELETE", "/train/", True),
        ("GET", "/datastore/image", True),
        ("GET", "/comparison/0/left", True),
        ("GET", "/info/", False),
        ("GET", "/train/", False),
        ("HEAD", "/datastore/image", False),
    ],
)
def test_what_reads_scans_or_changes_something_is_logged(
    method: str, path: str, is_logged: bool, tmp_path: Path
) -> None:
    log = tmp_path / "audit.jsonl"
    assert [message.get("status") for message in ask(log, method, path)] == [204, None]
    lines = (
        [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []
    )
    known = [(line["reader"], line["what"], line["status"]) for line in lines]
    assert known == ([("Dr. A", f"{method} {path}?image=a", 204)] if is_logged else [])


def test_what_cannot_be_written_down_is_not_told(tmp_path: Path) -> None:
    start, body = ask(tmp_path, "GET", "/datastore/image")  # a folder is in the place of the log
    assert start["status"] == 507
    assert json.loads(body["body"])["detail"] == "The server cannot write to its disk; tell whoever runs it."
