"""What the list of cases costs."""

import json
import time
from pathlib import Path

import pytest

from volfuse.label.layout import Layout
from volfuse.label.verdicts import Judgement


def test_200_cases_with_scores_images_and_verdicts_are_listed_in_half_a_second(tmp_path: Path) -> None:
    pytest.importorskip("monailabel", reason="the extra label is not installed")
    from volfuse.label.datastore import PairedDatastore  # noqa: PLC0415 - it imports MONAI Label

    store = PairedDatastore(Layout(tmp_path), ("mr", "pet"))
    for number in range(200):
        case = f"case{number:03d}"
        for kind in ("mr", "pet"):
            (tmp_path / f"{case}_{kind}.nii.gz").write_bytes(b"scan")
        for model in ("average", "laplacian", "pca"):
            (store.layout.images / model).mkdir(parents=True, exist_ok=True)
            (store.layout.images / model / f"{case}.nii.gz").write_bytes(b"image")
        if number % 2:
            store.verdicts.add(case, Judgement("accept", "average"), ".nii.gz", lambda path: path.touch())
        store.layout.scores.mkdir(exist_ok=True)
        (store.layout.scores / f"{case}.json").write_text(json.dumps({"disagreement": 0.5}))
    taken = []
    for _ in range(3):
        begun = time.perf_counter()
        objects = store.json()["objects"]
        taken.append(time.perf_counter() - begun)
    assert len(objects) == 200 and objects["case001"]["labels"].keys() == {
        "average",
        "final",
        "laplacian",
        "pca",
    }
    assert objects["case001"]["image"]["info"]["verdict"] == "accept"
    assert min(taken) < 0.5
