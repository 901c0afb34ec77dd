"""Every test of this folder runs over every bundle; train and evaluation data are small phantoms."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from volfuse.data.phantom_pairs import write_phantom_pairs
from volfuse.models import Bundle, bundles


@pytest.fixture(autouse=True)
def _denormal_numbers() -> Iterator[None]:
    """A training flushes them to zero in the whole process."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture(params=[name for name, bundle in bundles().items() if bundle.weights_file == "model.pt"])
def bundle(request: pytest.FixtureRequest) -> Bundle:
    return bundles()[request.param]


@pytest.fixture(scope="session")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six training, two validation and two test pairs of 72x80 pixels."""
    return write_phantom_pairs(tmp_path_factory.mktemp("pairs"))
