import numpy as np
import pytest

from volfuse.errors import FusionError
from volfuse.imaging.precision import precision_lost


@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f4", "f8", "i8"])
def test_ordinary_values_lose_nothing(dtype: str) -> None:
    assert precision_lost("mr.nii", np.arange(100).astype(dtype)) == []


def test_small_differences_of_doubles_are_kept_where_they_are_most_of_the_range() -> None:
    assert precision_lost("mr.nii", np.linspace(0, 1e-20, 50)) == []


def test_whole_numbers_that_are_rounded_are_said() -> None:
    values = np.arange(1 << 26, (1 << 27) - 4, 1001, dtype=np.int32)
    assert precision_lost("mr.nii", values) == [
        f"mr.nii holds whole numbers up to {values[-1]}; they were rounded to steps of 8."
    ]


def test_values_that_become_one_are_refused() -> None:
    values = (1 << 25) + np.arange(100, dtype=np.int32)
    with pytest.raises(FusionError) as caught:
        precision_lost("mr.nii", values)
    assert str(caught.value) == (
        "mr.nii holds values from 33554432 to 33554531, which single precision holds in steps of 4 only; subtract "
        "the lowest value from all."
    )


@pytest.mark.parametrize("values", [np.array([0.0, 1e200]), np.array([-1e39, 5.0])])
def test_values_beyond_it_are_refused(values: np.ndarray) -> None:
    with pytest.raises(
        FusionError, match="^mr.nii holds values up to 1e.*, beyond single precision; scale them"
    ):
        precision_lost("mr.nii", values)
