from collections import Counter
from pathlib import Path

import pytest

from volfuse.label import comparisons
from volfuse.label.comparisons import Comparisons
from volfuse.label.errors import NotFound

MODELS = ["average", "laplacian", "maximum"]


def test_models_and_sides_are_drawn_fairly(tmp_path: Path) -> None:
    store = Comparisons(tmp_path)
    drawn = Counter(
        (question.left, question.right) for _, question in (store.ask("a", MODELS, "A") for _ in range(300))
    )
    assert len(drawn) == 6 and all(20 < count < 90 for count in drawn.values())


def test_an_answer_is_given_once_also_after_a_restart(tmp_path: Path) -> None:
    name, question = Comparisons(tmp_path).ask("a", MODELS[:2], "A")
    given = Comparisons(tmp_path).answer(name, "", "left", "sharper")
    assert (given.left, given.right, given.reader) == (question.left, question.right, "A")
    assert (given.id, given.number, given.answer, given.comment) == (name, 1, "left", "sharper")
    for _ in range(2):
        with pytest.raises(NotFound, match="There is no such comparison, or it is answered; ask for another"):
            Comparisons(tmp_path).answer(name, "B", "right", "")
    assert Comparisons(tmp_path).all() == [given]


@pytest.mark.parametrize("content", ["{", '{"case": "a"}', "[]"])
def test_a_damaged_answer_is_named_and_a_damaged_question_is_none(content: str, tmp_path: Path) -> None:
    store = Comparisons(tmp_path / "fusion" / "comparisons")
    for _ in range(2):
        store.answer(store.ask("a", MODELS, "A")[0], "A", "same", "")
    (tmp_path / "fusion" / "comparisons" / "0001.json").write_text(content)
    assert [each.number for each in store.all()] == [2]
    assert store.faults() == [
        "fusion/comparisons/0001.json is damaged; bring it back from a backup, or remove it."
    ]
    name, _ = store.ask("a", MODELS, "A")
    (tmp_path / "fusion" / "comparisons" / "open" / f"{name}.json").write_text(content)
    with pytest.raises(NotFound):
        store.question(name)


def test_questions_that_nobody_answers_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparisons, "_MOST_OPEN", 3)
    store = Comparisons(tmp_path)
    names = [store.ask("a", MODELS, "A")[0] for _ in range(5)]
    assert len(list((tmp_path / "open").glob("*.json"))) == 3
    assert store.question(names[-1]).case == "a"
