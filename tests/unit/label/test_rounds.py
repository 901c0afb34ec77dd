import json
from pathlib import Path

import pytest

from volfuse.label.errors import Busy
from volfuse.label.rounds import Rounds


def test_a_round_that_was_killed_is_closed_by_what_its_metadata_say(tmp_path: Path) -> None:
    rounds, models = Rounds(tmp_path / "rounds"), tmp_path / "models"
    for number in (1, 2):
        assert rounds.next_number() == number
        rounds.begin({"round": number, "bundle": "net", "weights_file": f"model_round{number}.pt"})
    (models / "net" / "configs").mkdir(parents=True)
    (models / "net" / "configs" / "metadata.json").write_text(
        json.dumps({"weights": {"model_round1.pt": {}}})
    )
    with rounds.alone():
        with pytest.raises(Busy, match="Another round of training is running; wait for its end"):
            rounds.check_idle()
        rounds.repair_if_idle(models)  # another process is training
    rounds.check_idle()
    assert [record["state"] for record in rounds.all()] == ["running", "running"]
    rounds.repair_if_idle(models)
    assert [(record["state"], record.get("published_as")) for record in rounds.all()] == [
        ("published", "net-round1"),
        ("interrupted", None),
    ]
    assert rounds.next_number() == 3


def test_a_damaged_record_is_named_and_stops_no_round(tmp_path: Path) -> None:
    rounds = Rounds(tmp_path / "fusion" / "rounds")
    for number in (1, 2, 3):
        rounds.begin({"round": number, "bundle": "net", "weights_file": "model.pt"})
    (tmp_path / "fusion" / "rounds" / "0002.json").write_text("{")
    rounds.repair_if_idle(tmp_path / "models")
    assert [record["state"] for record in rounds.all()] == ["interrupted", "damaged", "interrupted"]
    assert rounds.all()[1]["error"] == (
        "fusion/rounds/0002.json is damaged; bring it back from a backup, or remove it."
    )
    assert rounds.next_number() == 4
