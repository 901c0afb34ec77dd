"""Two readers with tokens of their own compare images without knowing whose they are."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.label.server_process import HEADERS, Server, start, write_cases
from volfuse.label.layout import Layout
from volfuse.label.tokens import ReaderTokens

MODELS = ["average", "laplacian", "maximum"]
Headers = dict[str, str]


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("studies")


@pytest.fixture(scope="module")
def readers(studies: Path) -> dict[str, Headers]:
    tokens = ReaderTokens(Layout(studies).readers)
    return {name: {"Authorization": f"Bearer {tokens.add(name)}"} for name in ("Dr. A", "Dr. B")}


@pytest.fixture(scope="module")
def server(studies: Path, readers: dict[str, Headers]) -> Iterator[Server]:
    pytest.importorskip("monailabel", reason="the extra label is not installed")
    write_cases(studies, 3)
    running = start(studies)
    yield running
    running.kill()


def test_comparisons_are_blind_and_say_who_answered(server: Server, readers: dict[str, Headers]) -> None:
    first, second = readers.values()
    asked = server.post("/comparison/?image=case0", json={"models": MODELS[:2]}, headers=first).json()
    address = f"/comparison/{asked['comparison']}"
    assert server.get(address, headers=first).json() == asked and asked["image"] == "case0"
    images = {}
    for side in ("left", "right"):
        sent = server.get(f"{address}/{side}", headers=first)
        assert not any(model in str(sent.headers) for model in MODELS)
        images[side] = sent.content
    told = server.post(
        address, json={"answer": "left", "reader": "Dr. B", "comment": "sharper"}, headers=first
    )
    record = told.json()
    assert {record["left"], record["right"]} == set(MODELS[:2]) and record["number"] == 1
    assert (record["reader"], record["answer"], record["comment"]) == ("Dr. A", "left", "sharper")
    for side, image in images.items():
        made = server.post(f"/infer/{record[side]}?image=case0&output=image", headers=second).content
        assert image[10:] == made[10:]  # but for the time in the gzip header
    again = server.post(address, json={"answer": "right"}, headers=first)
    assert (again.status_code, again.json()["detail"]) == (
        404,
        "There is no such comparison, or it is answered; ask for another.",
    )

    # Sides are drawn, cases take turns, and the last answer of each reader on a pair counts.
    sides = set()
    for reader in (first, second) * 8:
        asked = server.post("/comparison/?image=case1", json={"models": MODELS[:2]}, headers=reader).json()
        given = server.post(f"/comparison/{asked['comparison']}", json={"answer": "same"}, headers=reader)
        sides.add(given.json()["left"])
    assert sides == set(MODELS[:2])
    cases = {server.post("/comparison/", headers=second).json()["image"] for _ in range(20)}
    assert cases == {"case0", "case2"}
    found = server.get("/agreement/", headers=first).json()["comparisons"]
    assert (found["items"], found["answers"], found["observed"]) == (1, 2, 1.0)
    assert found["readers"] == ["Dr. A", "Dr. B"] and found["convention"].startswith("Cohen's kappa")
    assert [each["number"] for each in server.get("/comparison/", headers=first).json()] == [*range(1, 18)]

    # A name that is typed does not hide who judged.
    words = json.dumps({"verdict": "reject", "model": "average", "reader": "Dr. B"})
    given = server.put("/datastore/label?image=case2", data={"params": words}, headers=first)
    assert given.json()["verdict"]["reader"] == "Dr. A"
    assert server.get("/auth/token/valid", headers=second).json() == {"username": "Dr. B"}
    log = [json.loads(line) for line in Layout(server.studies).audit.read_text(encoding="utf-8").splitlines()]
    assert {line["reader"] for line in log} == {"Dr. A", "Dr. B"}
    assert (log[0]["reader"], log[0]["what"]) == ("Dr. A", "POST /comparison/?image=case0")
    assert [line["status"] for line in log if line["what"] == f"POST {address}"] == [200, 404]
    assert log[-1]["what"] == "PUT /datastore/label?image=case2"

    # What all shared is worth nothing, and a token that was taken back neither, at once.
    refused = server.get("/info/", headers=HEADERS)
    assert (refused.status_code, refused.json()["detail"]) == (
        401,
        "A reader's token is needed; whoever runs the server gives you one.",
    )
    ReaderTokens(Layout(server.studies).readers).revoke("Dr. B")
    assert server.get("/info/", headers=second).status_code == 401
    assert server.get("/info/", headers=first).status_code == 200


UNFIT = {
    "one model": ("/comparison/", {"models": ["average"]}, 422, "at least 2 items"),
    "the same twice": ("/comparison/", {"models": ["average"] * 2}, 404, "A comparison needs two models"),
    "no model": ("/comparison/", {"models": ["average", "nothing"]}, 404, "There is no such model"),
    "no case": ("/comparison/?image=nothing", {}, 404, "There is no such case"),
    "no answer": (f"/comparison/{'0' * 32}", {"answer": "both"}, 422, "'left', 'right' or 'same'"),
    "no comparison": (f"/comparison/{'0' * 32}", {"answer": "left"}, 404, "There is no such comparison"),
}


def test_what_is_unfit_is_refused_in_one_sentence(server: Server, readers: dict[str, Headers]) -> None:
    for address, words, status, sentence in UNFIT.values():
        answer = server.post(address, json=words, headers=readers["Dr. A"])
        assert answer.status_code == status and sentence in answer.json()["detail"], answer.text
