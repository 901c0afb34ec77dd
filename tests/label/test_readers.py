"""Several readers at one server, a case that nobody can read, and files that were damaged."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.label.server_process import Server, start, write_cases

UNREADABLE = "case0"


@pytest.fixture(scope="module")
def round_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with six cases, the first of which cannot be read."""
    pytest.importorskip("monailabel", reason="the extra label is not installed")
    tmp_path = tmp_path_factory.mktemp("round")
    write_cases(tmp_path, 6)
    for contrast in ("mr", "pet"):
        (tmp_path / f"{UNREADABLE}_{contrast}.nii.gz").write_bytes(b"no image")
    running = start(tmp_path)
    yield running
    running.kill()


def sample(server: Server, reader: str, **words: object) -> tuple[int, dict]:
    answer = server.post("/activelearning/random", json={"reader": reader, **words})
    return answer.status_code, answer.json()


def say(server: Server, case: str, **words: object) -> tuple[int, dict]:
    answer = server.judge(case, json.dumps(words))
    return answer.status_code, answer.json()


def test_readers_share_a_round_and_pass_over_what_they_cannot_read(round_of: Server) -> None:
    held_out = json.loads((round_of.studies / "fusion" / "hold_out.json").read_text(encoding="utf-8"))
    waiting = {f"case{number}" for number in range(6)} - set(held_out)
    given = {reader: sample(round_of, reader)[1]["id"] for reader in map(str, range(len(waiting)))}
    assert set(given.values()) == waiting
    assert sample(round_of, "late") == (
        429,
        {"detail": "Every case that is left is with another reader; ask again later."},
    )

    # A reader who asks again gets the own case again.
    assert sample(round_of, "0")[1]["id"] == given["0"]

    # A case that is skipped is open to the others and not to who skipped it.
    assert say(round_of, given["0"], verdict="skip", reason="not my field", reader="0")[0] == 200
    assert sample(round_of, "late")[1]["id"] == given["0"]
    assert sample(round_of, "0")[0] == 429

    # Nobody gets a case that cannot be judged.
    for case in {UNREADABLE, given["0"]} & waiting:
        words = {"verdict": "cannot_judge", "reason": "the file is damaged", "reader": "late"}
        assert say(round_of, case, **words)[1]["verdict"]["reason"] == "the file is damaged"
        assert say(round_of, case, verdict="reject", model="average", reader="careless")[0] == 200
    for reader, case in given.items():
        if case not in (UNREADABLE, given["0"]):
            assert say(round_of, case, verdict="accept", model="average", reader=reader)[0] == 200
    assert sample(round_of, "new") == (200, {})
    # Where two shall judge each case, those with one verdict are open to somebody else.
    assert sample(round_of, "new", readings=2)[1]["id"] in waiting - {UNREADABLE, given["0"]}

    trained = round_of.post("/train/lightfusionnet?run_sync=true", json={"steps": 1})
    assert trained.status_code == 200, trained.json()
    record = trained.json()
    assert record["left_out"].keys() == {UNREADABLE} and f"{UNREADABLE}_" in record["left_out"][UNREADABLE]


def test_a_damaged_file_gives_one_sentence_and_the_others_work(round_of: Server) -> None:
    home = round_of.studies / "fusion"
    held_out = json.loads((home / "hold_out.json").read_text(encoding="utf-8"))
    case, other = sorted({f"case{number}" for number in range(1, 6)} - set(held_out))[:2]
    for name in (case, other):
        assert say(round_of, name, verdict="accept", model="average")[0] == 200
    before = round_of.get(f"/datastore/verdicts?image={case}").json()
    newest = say(round_of, case, verdict="reject", model="average")[1]["verdict"]["number"]

    def damage(name: str) -> str:
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text('{"half')
        return f"fusion/{name} is damaged; bring it back from a backup, or remove it."

    sentence = damage(f"verdicts/{case}/{newest:04d}.json")
    assert round_of.get(f"/datastore/verdicts?image={case}").json() == [*before, {"damaged": sentence}]
    scores = damage(f"scores/{case}.json")
    objects = round_of.get("/datastore/?output=all").json()["objects"]
    assert objects[case]["image"]["info"]["damaged"] == [sentence, scores]
    assert "damaged" not in objects[other]["image"]["info"]

    assert sample(round_of, "A", client_id="x", readings=5)[0] == 200
    lost = damage("rounds/0001.json")
    assert round_of.get("/rounds/").json() == [{"round": 1, "state": "damaged", "error": lost}]

    sentence = damage("hold_out.json")
    for address in ("/activelearning/random", "/train/lightfusionnet"):
        answer = round_of.post(address)
        assert (answer.status_code, answer.json()["detail"]) == (409, sentence)
    round_of.kill()
    again = start(round_of.studies)
    round_of.process, round_of.url = again.process, again.url
    assert say(round_of, other, verdict="accept", model="average")[0] == 200
    Path(home / "hold_out.json").write_text(json.dumps(held_out))
    assert sample(round_of, "A", readings=5)[0] == 200


WRONG_WORDS = {
    "skip without reason": ({"verdict": "skip"}, "the verdict 'skip' needs a reason"),
    "skip with rating": ({"verdict": "skip", "reason": "x", "rating": 1}, "a rating does not belong to"),
    "accept without model": ({"verdict": "accept"}, "the verdict 'accept' needs a model"),
    "accept with reason": (
        {"verdict": "accept", "model": "average", "reason": "x"},
        "a reason belongs to the verdicts 'skip' and 'cannot_judge'; write a comment",
    ),
}


@pytest.mark.parametrize("case", WRONG_WORDS)
def test_what_a_verdict_needs_is_said(server: Server, case: str) -> None:
    words, sentence = WRONG_WORDS[case]
    status, answer = say(server, "case1", **words)
    assert status == 422 and sentence in answer["detail"]
