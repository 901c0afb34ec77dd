"""The power goes while readers judge and a network trains."""

import json
import threading
import time
from pathlib import Path

import pytest
import requests

from tests.label.server_process import Server, start, write_cases
from volfuse.storage import PARTIAL


@pytest.mark.slow
def test_no_verdict_is_lost_and_weights_are_whole_after_kill_9(tmp_path: Path) -> None:
    pytest.importorskip("monailabel", reason="the extra label is not installed")
    write_cases(tmp_path, 5)
    first = start(tmp_path)
    held_out = json.loads((tmp_path / "fusion" / "hold_out.json").read_text(encoding="utf-8"))
    case = next(name for name in (f"case{number}" for number in range(5)) if name not in held_out)
    assert first.judge(case, '{"verdict": "accept", "model": "average"}').status_code == 200
    published = first.post("/train/lightfusionnet?run_sync=true", json={"steps": 4}).json()
    assert published["state"] == "published"
    old = first.post(f"/infer/{published['published_as']}?image={case}&output=image").content

    assert first.post("/train/lightfusionnet", json={"steps": 10_000}).status_code == 200
    while "step " not in json.dumps(first.get("/train/").json()):
        time.sleep(0.1)
    acknowledged: list[dict] = []
    judging = threading.Thread(target=judge_until_the_end, args=(first, case, acknowledged))
    judging.start()
    while len(acknowledged) < 5:
        time.sleep(0.01)
    first.kill()
    judging.join()

    second = start(tmp_path)
    try:
        stored = second.get(f"/datastore/verdicts?image={case}").json()
        assert all(verdict in stored for verdict in acknowledged)
        assert all((tmp_path / "fusion/verdicts" / case / verdict["image"]).is_file() for verdict in stored)
        states = [record["state"] for record in second.get("/rounds/").json()]
        assert states == ["published", "interrupted"]
        assert list((tmp_path / "fusion").rglob(f"{PARTIAL}*")) == []
        models = second.get("/info/").json()["models"]
        assert [name for name in models if "round" in name] == [published["published_as"]]
        new = second.post(f"/infer/{published['published_as']}?image={case}&output=image").content
        assert new[10:] == old[10:]  # but for the time in the gzip header
    finally:
        second.kill()


def judge_until_the_end(server: Server, case: str, acknowledged: list[dict]) -> None:
    while True:
        try:
            answer = server.judge(case, '{"verdict": "accept", "model": "average", "rating": 3}')
            acknowledged.append(answer.json()["verdict"])
        except requests.RequestException:
            return
