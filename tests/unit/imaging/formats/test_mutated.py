"""Damaged and hostile files are read or refused: `python -m benchmarks.mutated_files` tries thousands."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.mutations import mutated, write_originals
from volfuse.errors import FusionError
from volfuse.imaging import read_image
from volfuse.imaging.formats import declared_size


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_originals(tmp_path_factory.mktemp("originals"))


@settings(derandomize=True, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(number=st.integers(0, 100), seed=st.integers(0, 1 << 32))
def test_a_mutated_file_is_read_or_refused_in_one_sentence(
    originals: dict[str, Path], tmp_path: Path, number: int, seed: int
) -> None:
    formats = sorted(originals)
    original = originals[formats[number % len(formats)]]
    file = tmp_path / original.name
    file.write_bytes(mutated(original.read_bytes(), seed))
    for look in (declared_size, read_image):
        try:
            look(file)
        except FusionError as error:
            assert "\n" not in str(error) and len(str(error)) < 300
    file.unlink()
    assert list(tmp_path.iterdir()) == []


def test_the_originals_are_read(originals: dict[str, Path]) -> None:
    for path in originals.values():
        assert read_image(path).shape[1:3] in {(8, 7), (6, 7)}
