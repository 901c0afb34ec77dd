from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
import SimpleITK as sitk
import torch

from tests.conftest import write_array
from tests.unit.jobs.conftest import events_until, last_event
from volfuse.fusion.options import FusionOptions
from volfuse.fusion.pipeline import FusionPipeline
from volfuse.imaging import read_image
from volfuse.jobs import FusionRequest, FusionWorker
from volfuse.metrics import METRICS
from volfuse.models import bundles


def test_a_job_gives_the_voxels_of_the_pipeline(
    warm: FusionWorker, quick: Callable[..., FusionRequest]
) -> None:
    table = tuple((n, 0, 255 - n) for n in range(256))
    request = quick(
        warm,
        model="lightfusionnet",
        options=FusionOptions(["mr", (10, 180.5)], [None, table], plane="coronal", batch_size=5),
        device="cpu",
    )
    job = warm.submit(request)
    events = events_until(warm)
    expected = FusionPipeline("lightfusionnet", "cpu").fuse(request.sources, request.options)
    assert {event.job for event in events} == {job}
    assert [event.kind for event in events] == ["started", *["progress"] * 10, "finished"]
    result = events[-1].result
    fused = read_image(result["output"])
    assert torch.equal(fused.as_tensor(), expected.as_tensor().float())
    assert torch.equal(fused.affine, expected.affine)
    bundle = bundles()["lightfusionnet"]
    assert (result["model"], result["version"]) == ("lightfusionnet", bundle.version)
    assert result["weights_sha256"] == bundle.weights_hash()
    assert result["device"] == "cpu"
    assert result["output"] == request.output
    assert result["notes"] == ["pet.nii.gz is resampled onto the grid of mr.nii.gz and covers 95% of it."]


def test_progress_counts_slices_and_the_time_left(
    warm: FusionWorker, quick: Callable[..., FusionRequest]
) -> None:
    warm.submit(quick(warm, metrics=("cc",)))
    events = events_until(warm)
    for step in ("fuse", "measure"):
        counts = [event for event in events if event.step == step]
        assert [event.done for event in counts] == list(range(1, counts[-1].total + 1))
        assert counts[0].seconds_left is None and counts[-1].seconds_left == 0
        assert all(event.seconds_left > 0 for event in counts[1:-1])
    seconds = events[-1].result["seconds"]
    assert list(seconds) == ["load", "prepare", "fuse", "restore", "measure", "write"]
    assert all(value > 0 for value in seconds.values())


def test_contributions_are_written_in_grey_levels_that_add_up_to_the_fused_volume(
    warm: FusionWorker, quick: Callable[..., FusionRequest]
) -> None:
    request = quick(warm, model="lightfusionnet", options=FusionOptions(contributions=True))
    result = last_event(warm, request).result
    assert result["contributions"] == [str(file) for file in request.contribution_files[:2]]
    first, second = (read_image(file) for file in result["contributions"])
    fused = read_image(result["output"])
    assert torch.equal((first.as_tensor() + second.as_tensor()).round(), fused.as_tensor())
    assert torch.equal(first.affine, fused.affine)
    assert min(first.max(), second.max()) > 10
    assert last_event(warm, quick(warm)).result["contributions"] == []


def test_metrics_are_means_over_the_slices_that_all_sources_show(warm: FusionWorker, tmp_path: Path) -> None:
    """The second source is empty in four of ten slices; rows, columns and slices lie as an ITK file stores them."""
    voxels = np.random.default_rng(1).integers(0, 256, (2, 10, 48, 44), dtype=np.uint8)
    voxels[:, :, 0, 0], voxels[1, 6:] = 255, 0
    files = [str(write_array(tmp_path / f"{number}.nrrd", voxels[number])) for number in range(2)]
    request = FusionRequest(
        files, str(warm.folder / "fused.nrrd"), "average", metrics=("ssim", "qabf", "ms_ssim")
    )
    measured = last_event(warm, request).result["metrics"]
    fused = torch.from_numpy(sitk.GetArrayFromImage(sitk.ReadImage(request.output)))[:6, None] / 255
    sources = torch.from_numpy(voxels).swapaxes(0, 1)[:6] / 255
    for name in ("ssim", "qabf"):
        assert measured[name] == pytest.approx(METRICS[name](fused, sources).mean().item(), abs=1e-6)
    assert measured["ms_ssim"] is None  # needs 176 pixels


def test_the_second_job_finds_the_model_in_memory(
    warm: FusionWorker, quick: Callable[..., FusionRequest]
) -> None:
    request = quick(warm, model="lightfusionnet")
    last_event(warm, request)
    first = warm.pid
    again = last_event(warm, request)
    assert warm.pid == first and psutil.Process(first).is_running()
    assert again.result["seconds"]["load"] < 0.005
