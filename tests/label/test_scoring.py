"""One pass over the cases serves every scoring, and nothing is measured twice."""

import re
from pathlib import Path

import pytest

from tests.label.server_process import write_cases

pytest.importorskip("monailabel", reason="the extra label is not installed")
from volfuse.fusion.pipeline import FusionPipeline
from volfuse.imaging import slices_of
from volfuse.label import scoring
from volfuse.label.activelearning.scores import appearance, disagreement, quality, scored_slices
from volfuse.label.datastore import SCORED, PairedDatastore
from volfuse.label.layout import Layout
from volfuse.label.scoring import scoring_methods

MODELS = ["average", "laplacian"]


@pytest.fixture
def store(tmp_path: Path) -> PairedDatastore:
    write_cases(tmp_path, 2)
    return PairedDatastore(Layout(tmp_path), ("mr", "pet"))


@pytest.fixture
def fused(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The models that have fused slices, in order."""
    calls, work = [], scoring.fuse_slices

    def note(model: str, slices: object) -> object:
        calls.append(model)
        return work(model, slices)

    monkeypatch.setattr(scoring, "fuse_slices", note)
    return calls


def run(store: PairedDatastore, models: list[str], method: str = "quality") -> dict:
    return scoring_methods()[method]({"models": models}, store)


def test_the_scores_are_those_of_the_whole_fused_case(store: PairedDatastore) -> None:
    run(store, MODELS)
    cases = {name: FusionPipeline(name, "cpu").fuse_case(store.pair("case0").files) for name in MODELS}
    sources = cases["average"].sources.as_tensor()
    numbers = scored_slices(sources)
    images = {name: slices_of(case.fused.as_tensor(), numbers) for name, case in cases.items()}
    slices = slices_of(sources, numbers)
    scores = store.scores("case0")
    for name, image in images.items():
        assert scores["quality"][name] == pytest.approx(quality(image, slices), abs=1e-5)
    assert scores["disagreement"] == pytest.approx(disagreement(list(images.values())), abs=1e-5)
    assert scores["appearance"] == pytest.approx(appearance(slices), abs=1e-5)
    assert SCORED not in store.get_image_info("case0")


def test_one_pass_serves_every_scoring(
    store: PairedDatastore, fused: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(store, MODELS)["measured"] == 2 and sorted(fused) == ["average"] * 2 + ["laplacian"] * 2
    told = re.findall(r"\[(\d+)/(\d+)\]", capsys.readouterr().out)
    assert told == [("1", "2"), ("2", "2")]
    fused.clear()
    for method in ("disagreement", "appearance", "quality"):
        assert run(store, MODELS, method) == {"models": MODELS, "failed": {}, "measured": 0}
    assert fused == []


def test_only_what_is_new_is_measured(store: PairedDatastore, fused: list[str]) -> None:
    run(store, MODELS)
    before = store.scores("case1")
    fused.clear()
    run(store, ["average", "maximum"])  # for the pair, the average is needed again, and the laplacian is not
    assert sorted(fused) == ["average", "average", "maximum", "maximum"]
    assert store.scores("case1")["quality"].keys() == {"average", "maximum"}
    fused.clear()
    run(store, MODELS)
    assert fused == [] and {**store.scores("case1"), SCORED: 0} == {**before, SCORED: 0}
    scans = store.pair("case0").files
    scans[0].write_bytes(store.pair("case1").reference.read_bytes())
    run(store, MODELS)
    assert sorted(fused) == MODELS, "case0 has another scan, case1 has not"


def test_new_weights_are_measured_again(
    store: PairedDatastore, fused: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(store, MODELS)
    fused.clear()
    monkeypatch.setattr(scoring, "_mark", lambda model: f"{model} of tomorrow")
    run(store, MODELS)
    assert sorted(fused) == ["average"] * 2 + ["laplacian"] * 2


@pytest.mark.parametrize("content", ["{", '{"scored": 1}', '{"scored": {"scans": 1}}'])
def test_damaged_scores_are_measured_again_and_unreadable_cases_are_named(
    content: str, store: PairedDatastore
) -> None:
    run(store, MODELS)
    before = store.scores("case1")
    (store.layout.scores / "case1.json").write_text(content)
    store.pair("case0").second.write_bytes(b"no image")
    done = run(store, MODELS)
    assert store.scores("case1") == before and done["measured"] == 1
    assert done["failed"].keys() == {"case0"} and "case0_pet.nii.gz" in done["failed"]["case0"]
