"""What was demonstrated against a stock MONAI Label 0.8.5, and what a fuzzer makes of our OpenAPI."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.label.server_process import HEADERS, Server

Snapshot = Callable[[], dict[str, int]]

TRAVERSALS = [
    "../x",
    "../../../../etc/x",
    "..%2f..%2fx",
    "/etc/passwd",
    "case0/../../x",
    "C:\\x",
    "case0\x00",
    "case0\n",
    "a" * 5000,
]


def test_training_evaluates_no_text(server: Server, tmp_path: Path, snapshot: Snapshot) -> None:
    """In the stock server ``max_epochs="$..."`` runs as Python."""
    marker = tmp_path / "marker"
    code = f"$open({str(marker)!r}, 'w').write('x')"
    before = snapshot()
    for words in (
        {"max_epochs": code},
        {"steps": code},
        {"learning_rate": code},
        {"model": code},
        {"train#trainer#max_epochs": code},
        {"settings": {"steps": code}},
        {"reader": {"$": code}},
    ):
        answer = server.post("/train/lightfusionnet?run_sync=true", json=words)
        assert 400 <= answer.status_code < 500, answer.text
    for address in ("/infer/average?image=case0", "/datastore/label?image=case0"):
        method = "POST" if "infer" in address else "PUT"
        answer = server.ask(method, address, data={"params": json.dumps({"windows": [code], "bundle": code})})
        assert answer.status_code == 422
    assert not marker.exists() and snapshot() == before


@pytest.mark.parametrize("name", TRAVERSALS)
def test_no_name_leads_out_of_the_studies_folder(server: Server, name: str, snapshot: Snapshot) -> None:
    before = snapshot()
    words = {"params": '{"verdict": "accept", "model": "average"}'}
    scan = {"label": ("x.nii.gz", b"x")}
    attempts = [
        server.put("/datastore/label", params={"image": name}, data=words, files=scan),
        server.put("/datastore/label", params={"image": "case0", "tag": name}, data=words, files=scan),
        server.put("/datastore/image", params={"image": name}, files={"file": ("x.nii.gz", b"x")}),
        server.put("/datastore/", params={"image": name}, files={"file": ("x.nii.gz", b"x")}),
        server.get("/datastore/image", params={"image": name}),
        server.get("/datastore/second", params={"image": name}),
        server.get("/datastore/label", params={"label": "case0", "tag": name}),
        server.get("/datastore/label", params={"label": name, "tag": "final"}),
        server.ask("DELETE", "/datastore/image", params={"id": name}),
        server.ask("DELETE", "/datastore/label", params={"id": name, "tag": "final"}),
        server.post("/infer/average", params={"image": name}),
        server.post("/infer/average", params={"session_id": name}),
        server.post("/batch/infer/average", params={"images": name}),
        server.get(f"/session/{name}"),
        server.ask("DELETE", f"/session/{name}"),
    ]
    assert [attempt.status_code for attempt in attempts if not 400 <= attempt.status_code < 500] == []
    assert snapshot() == before


def test_parameters_cannot_name_another_image(server: Server) -> None:
    """In the stock server ``params`` replaces the image by any file of the machine."""
    for field in ("image", "files", "path", "session", "model"):
        words = {"params": json.dumps({field: "/etc/hostname"})}
        answer = server.post("/infer/average?image=case0&output=json", data=words)
        assert answer.status_code == 422 and "Extra inputs are not permitted" in answer.json()["detail"]


def test_a_link_out_of_the_folder_is_no_case(server: Server, tmp_path: Path) -> None:
    outside = tmp_path / "secret.nii.gz"
    outside.write_bytes((server.studies / "case0_mr.nii.gz").read_bytes())
    links = [server.studies / f"linked_{kind}.nii.gz" for kind in ("mr", "pet")]
    try:
        for link in links:
            link.symlink_to(outside)
        assert "linked" not in server.get("/datastore/?output=all").json()["objects"]
        assert server.get("/datastore/image?image=linked").status_code == 404
    finally:
        for link in links:
            link.unlink()


def test_a_page_in_a_browser_is_told_nothing(server: Server) -> None:
    origin = {"Origin": "https://attacker.example", "Access-Control-Request-Method": "POST"}
    for headers in (origin, origin | HEADERS):
        for method in ("OPTIONS", "GET"):
            answer = server.ask(method, "/info/", headers=headers)
            assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    assert server.ask("OPTIONS", "/info/", headers=origin).status_code == 401


def test_only_this_computer_is_listened_to(server: Server) -> None:
    port = int(server.url.rpartition(":")[2])
    addresses = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in addresses - {"127.0.0.1"}:
        with pytest.raises(OSError), socket.create_connection((address, port), timeout=2):
            pass


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "in pieces"])
def test_a_request_that_is_too_large_is_refused(server: Server, announced: bool) -> None:
    """The server of these tests takes 2 MiB."""
    piece = b"x" * (1 << 20)
    head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="x.nii"\r\n\r\n'
    pieces = head + 3 * piece if announced else iter([head, piece, piece, piece])
    headers = HEADERS | {"Content-Type": "multipart/form-data; boundary=b"}
    try:
        answer = server.put("/session/", data=pieces, headers=headers)
    except requests.ConnectionError:  # it hung up before everything was sent
        pass
    else:
        assert answer.status_code == 413 and "2 MiB" in answer.json()["detail"]
    assert server.get("/info/").status_code == 200
    assert list((server.studies / "fusion" / "scratch").iterdir()) == []


WORDS = st.text(max_size=30) | st.sampled_from(["case0", "final", "average", "../x", "$1", "\ud800", "\x00"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
FIELDS = ["windows", "colormaps", "plane", "models", "steps", "preference_weight"]
FIELDS += ["verdict", "model", "rating", "reader"]
BODIES = st.dictionaries(st.sampled_from(FIELDS) | WORDS, VALUES, max_size=4) | VALUES


@pytest.fixture(scope="session")
def operations(server: Server) -> list[tuple[str, str, list[str]]]:
    """Method, address and names of the query of everything in the OpenAPI, and of what is not in it."""
    paths = server.get("/openapi.json").json()["paths"]
    described = [
        (method.upper(), path, [part["name"] for part in operation.get("parameters", [])])
        for path, operations in paths.items()
        for method, operation in operations.items()
    ]
    return [*described, ("GET", "/proxy/x", []), ("POST", "/infer/wsi/x", []), ("PUT", "/model/x", [])]


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_malformed_requests_are_answered_with_4xx(
    server: Server, operations: list[tuple[str, str, list[str]]], data: st.DataObject
) -> None:
    method, path, names = data.draw(st.sampled_from(operations))
    for name in names:
        path = path.replace(f"{{{name}}}", requests.utils.quote(_plain(data.draw(WORDS)), safe=""))
    query = {name: _plain(data.draw(WORDS)) for name in names if data.draw(st.booleans())}
    query["output"] = "all"
    body = data.draw(BODIES)
    kind = data.draw(st.sampled_from(["json", "form", "multipart", "raw"]))
    sent: dict[str, Any] = {
        "json": {
            "data": json.dumps(body).encode(),
            "headers": HEADERS | {"Content-Type": "application/json"},
        },
        "form": {"data": {"params": json.dumps(body)}},
        "multipart": {"files": {"files": ("x.nii.gz", b"x"), "params": (None, json.dumps(body))}},
        "raw": {
            "data": data.draw(st.binary(max_size=40)),
            "headers": HEADERS | {"Content-Type": data.draw(st.sampled_from(["multipart/form-data", "x/y"]))},
        },
    }[kind]
    answer = server.ask(method, path, params=query, **sent)
    assert answer.status_code < 500, f"{method} {path} {query} {sent}: {answer.text}"
    if answer.status_code >= 400 and method != "HEAD":
        assert isinstance(answer.json()["detail"], str)


def test_after_all_that_nothing_lies_outside_and_the_scans_are_as_they_were(server: Server) -> None:
    scans = {f"case{number}_{kind}.nii.gz" for number in range(6) for kind in ("mr", "pet")}
    assert {path.name for path in server.studies.iterdir()} == scans | {"fusion"}
    assert [path.name for path in server.studies.parent.iterdir()] == ["studies"]


def _plain(text: str) -> str:
    """A query is bytes: lone surrogates cannot be sent."""
    return text.encode("utf-8", "replace").decode()


@pytest.mark.parametrize("target", ["/etc/passwd", "../case0_mr.nii.gz", "/dev/stdin", "case0_mr.nii.gz"])
def test_an_upload_cannot_name_another_file(server: Server, target: str, snapshot: Snapshot) -> None:
    """What ITK reads by such a header came back in the pixels of the fused image."""
    nrrd = f"NRRD0004\ntype: uchar\ndimension: 2\nsizes: 8 8\nencoding: raw\ndata file: {target}\n\n"
    mha = (
        f"ObjectType = Image\nNDims = 2\nDimSize = 8 8\nElementType = MET_UCHAR\nElementDataFile = {target}\n"
    )
    before = snapshot()
    for name, header in (("x.nrrd", nrrd), ("x.mha", mha), ("x.png", nrrd), ("x.nii.gz", mha)):
        file = (name, header.encode())
        answers = [
            server.put("/session/", files=[("files", file), ("files", file)]),
            server.put(
                "/datastore/label?image=case0",
                data={"params": '{"verdict": "accept", "model": "average"}'},
                files={"label": file},
            ),
        ]
        for answer in answers:
            assert answer.status_code == 415
            assert answer.json()["detail"].endswith(
                f"{name[1:]} keeps its voxels in another file; save the image as one file, such as .nii.gz or .nrrd."
            )
    assert snapshot() == before
