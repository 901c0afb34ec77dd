"""What the Slicer panel speaks to the server with, against the real one."""

from pathlib import Path

import pytest
import SimpleITK as sitk

from tests.label.server_process import TOKEN, Server
from volfuse.errors import FusionError
from volfuse.label.client import LabelClient


def test_the_panel_s_client_goes_a_reader_s_way(server: Server, tmp_path: Path) -> None:
    client = LabelClient(server.url + "/", f" {TOKEN}\n")
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


def test_it_says_what_the_server_says(server: Server) -> None:
    client = LabelClient(server.url, TOKEN)
    with pytest.raises(FusionError, match="The server says: There is no such strategy"):
        client.next_case("nothing")
    with pytest.raises(FusionError, match="does not know this token"):
        LabelClient(server.url, "wrong").info()
