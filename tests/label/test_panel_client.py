"""What the Slicer panel speaks to the server with, against the real one."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
import SimpleITK as sitk

from tests.conftest import REPOSITORY
from tests.label.server_process import TOKEN, Server
from volfuse.errors import FusionError


@pytest.fixture(scope="module")
def label_client() -> ModuleType:
    """The module alone: the package around it needs Slicer."""
    file = REPOSITORY / "SlicerFusion" / "SlicerFusionLib" / "label_client.py"
    spec = spec_from_file_location("label_client", file)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_panel_s_client_goes_a_reader_s_way(
    server: Server, label_client: ModuleType, tmp_path: Path
) -> None:
    client = label_client.LabelClient(server.url + "/", f" {TOKEN}\n")
    assert {"models", "strategies", "trainers", "datastore", "description"} <= set(client.info())
    sample = client.next_case("random")
    scans = client.download_scans(sample, tmp_path)
    assert [scan.read_bytes() for scan in scans] == [
        (server.studies / sample[kind]).read_bytes() for kind in ("name", "second")
    ]
    fused = tmp_path / "fused.nrrd"
    assert client.fuse(sample["id"], "average", fused) == []
    assert sitk.ReadImage(str(fused)).GetSize() == sitk.ReadImage(str(scans[0])).GetSize()
    words = {
        "verdict": "accept",
        "model": "average",
        "rating": 5,
        "comment": "gut, schön",
        "reader": "Dr. C",
    }
    answer = client.judge(sample["id"], words | {"preferred_model": None})
    assert words.items() <= answer["verdict"].items()
    assert isinstance(client.rounds(), list)


def test_it_says_what_the_server_says(server: Server, label_client: ModuleType) -> None:
    client = label_client.LabelClient(server.url, TOKEN)
    with pytest.raises(FusionError, match="The server says: There is no such strategy"):
        client.next_case("nothing")
    with pytest.raises(FusionError, match="does not know this token"):
        label_client.LabelClient(server.url, "wrong").info()
