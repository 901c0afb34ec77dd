import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from volfuse.imaging.percentiles import percentiles

SHARES = (0, 0.1, 1, 37.3, 50, 99.9, 100)
DTYPES = ("uint8", "int8", "int16", "uint16", "float32")


@pytest.mark.parametrize("dtype", DTYPES)
def test_they_are_those_of_numpy_for_more_voxels_than_are_counted_at_a_time(dtype: str) -> None:
    values = np.random.default_rng(0).normal(20, 40, (7, 457, 500)).astype(np.int8).astype(dtype)
    if dtype == "float32":
        values *= np.float32(np.pi)
    expected = np.percentile(values.astype(float), SHARES)
    for stored in (values, np.asfortranarray(values), values.transpose(2, 0, 1), values[:, ::-1]):
        assert percentiles(stored, SHARES) == expected.tolist()


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_they_are_those_of_numpy_for_whatever_values(dtype: str, data: st.DataObject) -> None:
    elements = {"allow_nan": False, "allow_infinity": False} if dtype == "float32" else {}
    values = data.draw(arrays(dtype, st.integers(1, 40), elements=elements))
    share = data.draw(st.floats(0, 100))
    assert percentiles(values, [share]) == [np.percentile(values.astype(float), share)]


def test_more_bits_are_taken_as_float32() -> None:
    assert percentiles(np.array([2**24 + 1, 2**24 + 3]), [0, 100]) == [2**24, 2**24 + 4]
