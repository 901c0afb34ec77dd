"""What a worker with limits may take, and what it says when that is too little."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.conftest import write_array
from tests.unit.jobs.conftest import events_until, last_event
from volfuse.errors import TOO_LITTLE_MEMORY
from volfuse.jobs import FusionRequest, FusionWorker, Limits

MEMORY = 96 << 20

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits memory")


@pytest.fixture(scope="module")
def limited(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[FusionWorker]:
    limits = Limits(memory=MEMORY, file_size=20_000, niceness=2)
    with FusionWorker(
        environment=environment, limits=limits, parent=tmp_path_factory.mktemp("own")
    ) as worker:
        yield worker


def test_more_memory_than_allowed_fails_the_job_and_the_next_one_works(
    limited: FusionWorker, tmp_path: Path, quick: Callable[..., FusionRequest]
) -> None:
    """Each of two volumes takes as much as is allowed once its voxels are float32."""
    voxels = np.zeros((MEMORY >> 18, 256, 256), np.uint8)
    voxels[0] = np.arange(256)
    sources = tuple(str(write_array(tmp_path / f"{number}.nrrd", voxels)) for number in range(2))
    failed = last_event(limited, FusionRequest(sources, str(limited.folder / "large.nii"), "pca"))
    assert (failed.kind, failed.message, failed.cause) == ("failed", TOO_LITTLE_MEMORY, "memory")
    pid = limited.pid
    done = last_event(limited, quick(limited))
    assert (done.kind, limited.pid) == ("finished", pid)
    assert (done.result["shape"], done.result["color"]) == ([40, 48, 20], False)
    assert np.shape(done.result["affine"]) == (4, 4)


def test_a_file_that_is_larger_than_allowed_is_not_written(
    limited: FusionWorker, quick: Callable[..., FusionRequest]
) -> None:
    output = limited.folder / "fused.nii"
    failed = last_event(limited, quick(limited, output=str(output)))
    assert (failed.kind, failed.cause) == ("failed", "storage") and "could not be written" in failed.message
    assert not output.exists()


def test_it_steps_back_on_the_processor_and_keeps_its_files_where_it_was_told(
    limited: FusionWorker, mr_file: Path
) -> None:
    limited.check(mr_file)
    assert events_until(limited)[-1].kind == "finished"
    assert limited.folder.parent.name.startswith("own")
    assert psutil.Process(limited.pid).nice() == os.nice(0) + 2


def test_an_image_is_checked_as_a_fusion_would_read_it(limited: FusionWorker, mr_file: Path) -> None:
    limited.check(mr_file)
    (*_, event) = events_until(limited)
    assert event.kind == "finished" and event.result["shape"] == [40, 48, 20]
    damaged = mr_file.with_name("damaged.nii.gz")
    damaged.write_bytes(mr_file.read_bytes()[:200])
    limited.check(damaged)
    (*_, event) = events_until(limited)
    assert event.kind == "failed" and event.message.startswith("damaged.nii.gz could not be read as an image")


def test_the_log_does_not_grow_for_ever(limited: FusionWorker, mr_file: Path) -> None:
    log = limited.folder / "worker.log"
    with log.open("ab") as file:
        file.write(bytes(1 << 20))
    limited.check(mr_file)
    assert events_until(limited)[-1].kind == "finished"
    assert log.stat().st_size < 1 << 20
