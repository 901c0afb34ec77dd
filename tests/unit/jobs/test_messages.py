import json

import pytest

from volfuse.errors import FusionError
from volfuse.fusion.options import FusionOptions
from volfuse.jobs import FusionRequest, JobEvent

REQUEST = FusionRequest(
    sources=("mr.nrrd", "pet.nrrd"),
    output="fused.nii",
    model="pca",
    options=FusionOptions(
        windows=("mr", (0.0, 200.5)),
        colormaps=(None, tuple((n, n, 255) for n in range(256))),
        batch_size=4,
        contributions=True,
    ),
    metrics=("ssim",),
)


def test_a_request_survives_json() -> None:
    text = json.dumps(REQUEST.to_json())
    assert FusionRequest.from_json(json.loads(text)) == REQUEST


@pytest.mark.parametrize(
    ("entry", "value", "expected"),
    [
        ("sources", "mr.nrrd", "a list of file names, not 'mr.nrrd'."),
        ("sources", ["a", 1], r"a list of file names, not \('a', 1\)."),
        ("output", None, "a file name, not None."),
        ("model", "", "the name of a model, not ''."),
        ("options", ["axial"], r"options by name, not \['axial'\]."),
        ("device", 0, "the name of a device, not 0."),
        ("metrics", "ssim", "a list of metric names, not 'ssim'."),
    ],
)
def test_values_of_a_wrong_type_are_named(entry: str, value: object, expected: str) -> None:
    with pytest.raises(FusionError, match=f"^'{entry}' of a fusion request must be {expected}"):
        FusionRequest.from_json(REQUEST.to_json() | {entry: value})


def test_unknown_and_missing_entries_are_named() -> None:
    with pytest.raises(FusionError, match=r"^A fusion request has no entry 'maps'; use sources, output, mo"):
        FusionRequest.from_json(REQUEST.to_json() | {"maps": True})
    with pytest.raises(
        FusionError, match=r"^There is no option 'maps'; use windows, colormaps, color, plane"
    ):
        FusionRequest.from_json(REQUEST.to_json() | {"options": {"maps": True}})
    with pytest.raises(FusionError, match=r"^The fusion request lacks 'model', the name of a model\.$"):
        FusionRequest.from_json({"sources": ["a", "b"], "output": "c"})


def test_contributions_are_written_beside_the_output_one_per_source_and_one_of_the_network() -> None:
    request = FusionRequest(("a", "b"), "job/fused.nii.gz", "pca")
    names = [f"job/fused_contribution{number}.nii.gz" for number in range(3)]
    assert [path.as_posix() for path in request.contribution_files] == names


def test_an_event_survives_json() -> None:
    event = JobEvent(3, "progress", "measure", 1, 5, 0.25)
    assert JobEvent.from_line(event.to_line()) == event


@pytest.mark.parametrize(
    "line", ["", "stray", "3", '{"job": 1}', JobEvent(1, "started").to_line().replace("started", "sorted")]
)
def test_a_line_that_is_no_event_is_refused(line: str) -> None:
    with pytest.raises(ValueError):
        JobEvent.from_line(line)
