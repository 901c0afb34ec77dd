from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from volfuse.data import paired_datalist
from volfuse.data.phantom_pairs import TASK, write_phantom_pairs


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_phantom_pairs(
        tmp_path_factory.mktemp("pairs"), train=2, validation=1, test=1, shape=(54, 60)
    )


def test_every_split_lists_its_pairs_and_no_pair_is_in_two(root: Path) -> None:
    names = {
        split: [item["name"] for item in paired_datalist(root, TASK, split)]
        for split in ("clean_train", "clean_val", "test")
    }
    assert names == {"clean_train": ["0.png", "1.png"], "clean_val": ["2.png"], "test": ["3.png"]}


def test_both_pictures_of_a_pair_show_one_head_and_every_pair_another(root: Path) -> None:
    heads = []
    for item in paired_datalist(root, TASK, "clean_train"):
        mr, pet = (sitk.GetArrayFromImage(sitk.ReadImage(item[f"source_{index}"])) for index in range(2))
        assert mr.shape == pet.shape == (60, 54) and mr.dtype == np.uint8
        np.testing.assert_allclose(mr > 10, pet > 2, atol=0.06 * mr.size)
        assert ((mr > 10) == (pet > 2)).mean() > 0.98
        assert (mr != pet).mean() > 0.2
        heads.append(mr)
    assert (heads[0] != heads[1]).mean() > 0.1


def test_the_face_is_at_the_top(root: Path) -> None:
    """The eyes are darker than the skull behind: the lowest slice has them in its upper half."""
    mr = sitk.GetArrayFromImage(sitk.ReadImage(str(root / TASK / "train" / "mri" / "0.png")))
    rows = np.flatnonzero((mr > 30).any(axis=1))
    upper, lower = np.array_split(mr[rows[0] : rows[-1]], 2)
    assert upper[upper > 30].mean() < lower[lower > 30].mean()
