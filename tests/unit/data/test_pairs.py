import json
from pathlib import Path

import pytest

from volfuse.data import paired_datalist
from volfuse.errors import FusionError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    splits = {
        "sources": ["mri", "pet"],
        "clean_train": ["1.png", "2.png"],
        "test": ["3.png"],
        "lost": ["4.png"],
    }
    (tmp_path / "splits.json").write_text(json.dumps({"pet_mri": splits}))
    for split, names in (("train", ("1.png", "2.png")), ("test", ("3.png",))):
        for modality in ("mri", "pet"):
            for name in names:
                path = tmp_path / "pet_mri" / split / modality / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
    return tmp_path


def test_pairs_come_in_the_order_of_the_split_with_the_reference_first(folder: Path) -> None:
    items = paired_datalist(folder, "pet_mri", "clean_train")
    train = folder / "pet_mri" / "train"
    assert items == [
        {
            "source_0": str(train / "mri" / name),
            "source_1": str(train / "pet" / name),
            "task": "pet_mri",
            "name": name,
        }
        for name in ("1.png", "2.png")
    ]
    assert Path(paired_datalist(folder, ["pet_mri"], "test")[0]["source_0"]).parts[-3:] == (
        "test",
        "mri",
        "3.png",
    )


@pytest.mark.parametrize(
    ("task", "split", "message"),
    [
        (
            "pet_mri",
            "val",
            r"^splits.json has no split 'val' of task 'pet_mri' \(clean_train, test, lost\)\.$",
        ),
        ("ct_mri", "test", r"^splits.json has no split 'test' of task 'ct_mri' \(no such task\)\.$"),
        ("pet_mri", "lost", r"4\.png is named in splits\.json but does not exist\.$"),
    ],
)
def test_what_is_missing_is_named(folder: Path, task: str, split: str, message: str) -> None:
    with pytest.raises(FusionError, match=message):
        paired_datalist(folder, task, split)


def test_a_folder_without_pairs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FusionError, match=r"splits\.json; set dataset_dir to a folder of image pairs\.$"):
        paired_datalist(tmp_path, "pet_mri", "test")


def test_training_never_sees_a_test_patient(shared_data: Path) -> None:
    """Case numbers are the file names without the three digits of the slice."""
    cases = {
        task: {
            Path(item["name"]).stem[:-3]
            for item in paired_datalist(shared_data / "pairs", task, "clean_train")
        }
        for task in ("ct_mri", "pet_mri", "spect_mri")
    }
    assert not set().union(*cases.values()) & {"9", "16", "21", "36"}
