"""Training on a plain folder of volumes, by ``volumes.json``."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.bundles.test_bundles import run, workflow
from volfuse.errors import FusionError, plain_cause
from volfuse.models import Bundle, bundles
from volfuse.training.volumes import PrepareVolume, RandContentSlice, content_slices, split

ROLES = ("mr", "pet")


@pytest.fixture
def folder(tmp_path: Path, mr_file: Path, pet_file: Path) -> Path:
    """Three cases of two volumes on different grids."""
    for case in ("a", "b", "c"):
        (tmp_path / "volumes" / case).mkdir(parents=True)
        shutil.copy(mr_file, tmp_path / "volumes" / case)
        shutil.copy(pet_file, tmp_path / "volumes" / case)
    return tmp_path / "volumes"


def train(bundle: Bundle, folder: Path, output: Path, **overrides: object) -> dict:
    options = {
        "dataset_dir": str(folder),
        "reference": "mr",
        "second": "pet",
        "output_dir": str(output),
        "cache_dir": str(output / "cache"),
        "slices_per_volume": 4,
        "max_epochs": 1,
        "device": "cpu",
    }
    try:
        run(workflow(bundle, "train", ["train.json", "volumes.json"], **options | overrides))
    except RuntimeError as error:
        raise plain_cause(error) or error from error
    return json.loads((output / "metrics.json").read_text(encoding="utf-8"))


def test_every_bundle_has_the_same_configuration(bundle: Bundle) -> None:
    own = (bundle.root / "configs" / "volumes.json").read_text(encoding="utf-8")
    assert own == (bundles()["unionnet"].root / "configs" / "volumes.json").read_text(encoding="utf-8")


def test_a_plain_folder_trains_from_given_weights_and_measures_whole_volumes(
    folder: Path, tmp_path: Path
) -> None:
    bundle = bundles()["lightfusionnet"]
    record = train(bundle, folder, tmp_path / "run", start=str(bundle.weights))
    assert [epoch["epoch"] for epoch in record["epochs"]] == [0, 1]
    for epoch in record["epochs"]:
        assert 0 < epoch["Qabf"] < 1 and epoch["Score"] == pytest.approx(
            (epoch["Qabf"] + epoch["Transfer"]) / 2
        )
    assert record["best"]["Score"] >= record["epochs"][0]["Score"]
    assert {"best.pt", "last.pt"} <= {path.name for path in (tmp_path / "run").iterdir()}
    assert (
        len(list((tmp_path / "run" / "cache").rglob("*.pt"))) == 3
    )  # one file per case, however many slices


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        (["d"], "There is no case 'd' to validate on; choose from: a, b, c."),
        (
            3,
            "{folder} holds 3 cases, 3 of them for --validation; give at least one to train on and one to validate on.",
        ),
    ],
)
def test_a_split_that_cannot_be_is_one_sentence(validation: object, message: str, folder: Path) -> None:
    with pytest.raises(FusionError) as error:
        split(folder, ROLES, validation)
    assert str(error.value) == message.format(folder=folder)


def test_an_incomplete_case_is_one_sentence(folder: Path) -> None:
    (folder / "b" / "pet.nii.gz").unlink()
    with pytest.raises(FusionError, match=r"^The case b in .* has no scan 'pet': it holds mr\.nii\.gz\.$"):
        split(folder, ROLES)


def test_cases_are_split_by_name_or_number_and_notice_changed_files(folder: Path) -> None:
    training, validation = split(folder, ROLES, ["a"])
    assert [item["name"] for item in training] == ["b", "c"] and [item["name"] for item in validation] == [
        "a"
    ]
    assert [item["name"] for item in split(folder, ROLES, 2)[1]] == ["b", "c"]
    os.utime(folder / "a" / "pet.nii.gz", (0, 0))
    changed = split(folder, ROLES, ["a"])
    assert changed[1][0]["state"] != validation[0]["state"] and changed[0] == training


def test_slices_of_three_planes_that_show_something_are_taken(folder: Path) -> None:
    (item,) = split(folder, ROLES, 2)[0]
    case = PrepareVolume(["source_0", "source_1"])(item)
    assert case["image"].shape == (2, 48, 40, 20) and case["image"].dtype == torch.uint8
    assert set(case["slices"][:, 0].tolist()) == {1, 2, 3}
    shapes = {RandContentSlice()(case)["image"].shape for _ in range(40)}
    assert shapes == {(2, 40, 20), (2, 48, 20), (2, 48, 40)}
    taken = RandContentSlice()(case)["image"]
    assert (taken.amax(0) > 0.05).float().mean() >= 0.1


def test_content_is_counted_in_any_source() -> None:
    image = torch.zeros(2, 10, 10, 4)
    image[1, :, :, 2] = 1
    image[0, 0, 0, 1] = 1
    assert content_slices(image)[-1].tolist() == [3, 2]
    assert np.count_nonzero(content_slices(image)[:, 0] == 3) == 1
