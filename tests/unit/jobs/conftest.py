import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import write_array
from volfuse.jobs import FusionRequest, FusionWorker, JobEvent


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """One thread, as in these tests themselves, and a folder for further bundles."""
    more = tmp_path_factory.mktemp("bundles")
    return os.environ | {"OMP_NUM_THREADS": "1", "VOLFUSE_BUNDLES": str(more)}


@pytest.fixture(scope="session")
def warm(environment: dict[str, str]) -> Iterator[FusionWorker]:
    with FusionWorker(environment=environment) as worker:
        worker.start()
        yield worker


@pytest.fixture(scope="session")
def noise(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two volumes that keep a network busy for half a minute, with little time per slice."""
    random = np.random.default_rng(0)
    voxels = random.integers(0, 255, (2, 600, 128, 128), dtype=np.uint8)
    folder = tmp_path_factory.mktemp("noise")
    return tuple(str(write_array(folder / f"{number}.nrrd", voxels[number])) for number in range(2))


@pytest.fixture
def quick(mr_file: Path, pet_file: Path) -> Callable[..., FusionRequest]:
    def request(worker: FusionWorker, **choices: object) -> FusionRequest:
        usual = FusionRequest((str(mr_file), str(pet_file)), str(worker.folder / "fused.nii.gz"), "pca")
        return replace(usual, **choices)

    return request


def events_until(worker: FusionWorker, *kinds: str, seconds: float = 60) -> list[JobEvent]:
    """Poll as a user interface does, until an event of one of these kinds or the end of the job."""
    deadline = time.monotonic() + seconds
    events: list[JobEvent] = []
    while time.monotonic() < deadline:
        events += worker.poll()
        if any(event.kind in kinds for event in events) or not worker.busy:
            return events
        time.sleep(0.02)
    pytest.fail(f"no {' or '.join(kinds)} within {seconds} s: {events[-3:]}")


def last_event(worker: FusionWorker, request: FusionRequest) -> JobEvent:
    worker.submit(request)
    return events_until(worker)[-1]
