import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.jobs.conftest import events_until, last_event
from volfuse.errors import FusionError
from volfuse.fusion.options import FusionOptions
from volfuse.jobs import FusionRequest, FusionWorker


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"model": "nonet"}, "There is no model 'nonet'; choose from: "),
        ({"sources": ("no.nrrd", "no.nrrd")}, "no.nrrd does not exist; check the path."),
        ({"options": FusionOptions(windows="brain")}, "'brain' is no intensity window; use one of "),
        (
            {"options": FusionOptions(windows=[(3, 2)])},
            "mr.nii.gz has no contrast between the limits of its window (3 to 2); choose another window.",
        ),
        ({"metrics": ("psnr",)}, "There is no metric 'psnr'; choose from: en, sd, "),
        ({"device": "cuda:99"}, "The device 'cuda:99' is not available here; use 'auto' or 'cpu'."),
    ],
)
def test_a_job_with_wrong_input_fails_with_one_sentence(
    warm: FusionWorker, quick: Callable[..., FusionRequest], choices: dict, message: str
) -> None:
    event = last_event(warm, quick(warm, **choices))
    assert event.kind == "failed" and event.message.startswith(message)
    assert "\n" not in event.message
    assert not Path(quick(warm).output).exists()
    assert last_event(warm, quick(warm)).kind == "finished"


def test_an_output_of_an_unknown_format_is_refused_before_the_work(
    warm: FusionWorker, quick: Callable[..., FusionRequest]
) -> None:
    warm.submit(quick(warm, output=str(warm.folder / "fused.docx")))
    events = events_until(warm)
    assert [event.kind for event in events] == ["started", "failed"]
    assert events[-1].message.startswith("'fused.docx' names no format to write")


def test_an_unexpected_error_gives_a_sentence_and_its_trace_goes_to_the_log(
    warm: FusionWorker,
    quick: Callable[..., FusionRequest],
    environment: dict[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = Path(environment["VOLFUSE_BUNDLES"]) / "broken"
    for name in ("configs/metadata.json", "configs/inference.json", "models/model.pt"):
        (broken / name).parent.mkdir(parents=True, exist_ok=True)
        (broken / name).write_text("{]")
    event = last_event(warm, quick(warm, model="broken"))
    assert event.message.startswith("The fusion failed unexpectedly (")
    assert event.message.endswith("); try again, and report the log if it happens again.")
    assert event.message in caplog.text
    assert "Traceback" in caplog.text and "JSONDecodeError: Expecting property name" in caplog.text


def test_one_job_at_a_time_and_outputs_inside_the_folder(
    warm: FusionWorker, quick: Callable[..., FusionRequest], tmp_path: Path
) -> None:
    with pytest.raises(FusionError, match=r"^The output .*fused.nii must lie inside .*volfuse-"):
        warm.submit(quick(warm, output=str(warm.folder / ".." / "fused.nii")))
    warm.submit(quick(warm))
    with pytest.raises(FusionError, match=r"^A fusion is running already; wait for it or cancel it first\.$"):
        warm.submit(quick(warm))
    assert events_until(warm)[-1].kind == "finished"


def test_a_python_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with (
        FusionWorker(python=tmp_path / "nopython") as worker,
        pytest.raises(FusionError, match=r"nopython could not be started; choose a Python that has torch"),
    ):
        worker.start()


def test_a_missing_package_is_named(quick: Callable[..., FusionRequest]) -> None:
    without_torch = """
import runpy, sys
sys.modules["torch"] = None
runpy.run_module("volfuse.jobs", run_name="__main__", alter_sys=True)
"""
    with FusionWorker(arguments=("-c", without_torch)) as worker:
        event = last_event(worker, quick(worker))
    assert event.message == "The Python package torch is missing; install it and try again."
    assert event.lacks_packages


def test_packages_that_do_not_load_are_told_apart(
    quick: Callable[..., FusionRequest], tmp_path: Path
) -> None:
    broken = tmp_path / "torch" / "__init__.py"
    broken.parent.mkdir()
    broken.write_text('raise ImportError("libc10.so: cannot open shared object file\\nand more")')
    with_broken_torch = f"""
import runpy, sys
sys.path.insert(0, {str(tmp_path)!r})
runpy.run_module("volfuse.jobs", run_name="__main__", alter_sys=True)
"""
    with FusionWorker(arguments=("-c", with_broken_torch)) as worker:
        event = last_event(worker, quick(worker))
    assert event.message == (
        "The Python packages do not load (libc10.so: cannot open shared object file); install them again."
    )
    assert event.lacks_packages


def test_commands_that_are_no_commands_are_logged() -> None:
    lines = 'nonsense\n[1]\n{"command": "fuse", "job": "1"}\n{"command": "dance", "job": 1}\n'
    command = [sys.executable, "-m", "volfuse.jobs"]
    worker = subprocess.run(command, input=lines, capture_output=True, text=True, check=True, timeout=60)
    assert worker.stderr.count("A command is not understood") == 4
    assert worker.stdout.strip() == ""
