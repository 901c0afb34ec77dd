"""What an attacker with and without the token tried, and what others put into the folder of the server."""

import gzip
import json
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import psutil
import pytest
import requests

from tests.label.server_process import Server

SECRET = b"a line that nobody may read\n"


def memory_of(server: Server) -> int:
    """Return the resident bytes of the server and of all its processes."""
    server_process = psutil.Process(server.process.pid)
    return sum(each.memory_info().rss for each in (server_process, *server_process.children(recursive=True)))


def refused(server: Server, *files: tuple[str, bytes]) -> str:
    """Upload files; returns the sentence of refusal."""
    answer = server.put("/session/", files=[("files", file) for file in files])
    assert answer.status_code == 415, answer.text
    return answer.json()["detail"]


@pytest.fixture
def header(tmp_path: Path) -> Callable[[str], bytes]:
    """Headers that name a file of this machine as the one with their voxels."""
    secret = tmp_path / "secret"
    secret.write_bytes(SECRET)

    def make(suffix: str) -> bytes:
        texts = {
            ".nrrd": f"NRRD0004\ntype: uint8\ndimension: 2\nsizes: 14 2\nencoding: raw\ndata file: {secret}\n",
            ".mha": "ObjectType = Image\nNDims = 2\nDimSize = 14 2\nElementType = MET_UCHAR\n"
            f"ElementDataFile = {secret}\n",
        }
        return texts[suffix].encode()

    return make


@pytest.mark.parametrize("suffix", [".nrrd", ".mha"])
def test_no_header_names_another_file(server: Server, header: Callable[[str], bytes], suffix: str) -> None:
    words = {"params": '{"verdict": "accept", "model": "average"}'}
    detached = (f"x{suffix}", header(suffix))
    assert "another file" in refused(server, detached, detached)
    verdict = server.put("/datastore/label?image=case1", data=words, files={"label": detached})
    assert verdict.status_code == 415 and "another file" in verdict.json()["detail"]
    placed = [server.studies / f"detached_{kind}{suffix}" for kind in ("mr", "pet")]
    try:
        for path in placed:
            path.write_bytes(header(suffix))
        answer = server.post("/infer/maximum?image=detached&output=image")
        assert answer.status_code == 400 and "another file" in answer.json()["detail"]
        assert str(server.studies) not in answer.text
    finally:
        for path in placed:
            path.unlink()


def test_a_small_file_that_unpacks_to_a_large_image_is_refused_before_it_is(server: Server) -> None:
    nifti = nibabel.Nifti1Header()
    nifti.set_data_shape((512, 512, 1024))
    nifti.set_data_dtype(np.uint8)
    packed = gzip.compress(nifti.binaryblock + bytes(4) + bytes(1 << 28))
    assert len(packed) < 300_000
    bomb = ("files", ("bomb.nii.gz", packed))
    session = server.put("/session/", files=[bomb, bomb]).json()["session_id"]
    begun = time.monotonic()
    answer = server.post(f"/infer/average?session_id={session}")
    assert answer.status_code == 413 and time.monotonic() - begun < 5
    assert "these have 537 million. Crop them, or start the server with more --memory." in answer.text
    assert memory_of(server) < 2e9
    assert server.ask("DELETE", f"/session/{session}").status_code == 200


OPEN = {
    "a file": ({"files": {"password": ("x", bytes(1 << 20))}}, 415, "Send the password as"),
    "much text": ({"data": {"password": "x" * 5000}}, 413, "may have 4096 bytes"),
    "pieces": ({"data": iter([b"password=", b"x" * 5000])}, 413, "may have 4096 bytes"),
    "no form": ({"json": {"password": "x"}}, 415, "Send the password as"),
    "wrong": ({"data": {"password": "x"}}, 401, "The password is the token"),
}


@pytest.mark.parametrize("case", OPEN)
def test_without_the_token_a_few_bytes_are_taken(server: Server, case: str) -> None:
    sent, status, sentence = OPEN[case]
    kind = {"Content-Type": "application/x-www-form-urlencoded"} if case == "pieces" else {}
    try:
        answer = requests.post(f"{server.url}/auth/token", headers=kind, timeout=30, **sent)
    except requests.ConnectionError:  # it hung up before everything was sent
        assert case == "a file"
    else:
        assert answer.status_code == status and sentence in answer.json()["detail"]
    assert list((server.studies / "fusion" / "scratch").iterdir()) == []


HALVES = {
    "a header": b"POST /auth/token HTTP/1.1\r\nHost: x\r\nX-",
    "nothing": b"",
    "a body": b"POST /auth/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 100\r\n\r\npass",
    "a body of a stranger": b"PUT /session/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\npart",
}


@pytest.mark.parametrize("half", HALVES)
def test_clients_that_send_half_a_request_stop_nobody(server: Server, half: str) -> None:
    """The server closes those that have waited longest, so that there is always room for others."""
    address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
    clients = []
    try:
        for _ in range(250):
            clients.append(socket.create_connection(address, timeout=10))
            clients[-1].sendall(HALVES[half])
        begun = time.monotonic()
        assert server.get("/info/").status_code == 200
        assert time.monotonic() - begun < 2
        clients[0].settimeout(15)
        try:
            while clients[0].recv(1 << 16):
                pass
        except ConnectionResetError:
            pass
    finally:
        for client in clients:
            client.close()


def test_links_in_the_folder_of_the_server_are_not_followed(server: Server, tmp_path: Path) -> None:
    home = server.studies / "fusion"
    (tmp_path / "secret.nii.gz").write_bytes(SECRET)
    (tmp_path / "secret.json").write_text("{}")
    links = {
        home / "verdicts" / "case4": tmp_path,
        home / "images" / "elsewhere": tmp_path,
        home / "images" / "pointing" / "case4.nii.gz": tmp_path / "secret.nii.gz",
        home / "scores" / "case4.json": tmp_path / "secret.json",
    }
    for link, target in links.items():
        link.parent.mkdir(parents=True, exist_ok=True)
        aside = link.with_name(f"{link.name}.aside")
        if link.exists():
            link.rename(aside)
        link.symlink_to(target)
    (tmp_path / "case4.nii.gz").write_bytes(SECRET)
    before = sorted(tmp_path.iterdir())
    try:
        answers = [
            server.judge("case4", '{"verdict": "reject", "model": "average"}'),
            server.get("/datastore/label?label=case4&tag=pointing"),
            server.get("/datastore/label?label=case4&tag=elsewhere"),
        ]
        for answer in answers:
            assert answer.status_code == 409 and SECRET not in answer.content
            assert "a link, and the server follows none; remove the link." in answer.json()["detail"]
            assert str(server.studies) not in answer.text
        assert sorted(tmp_path.iterdir()) == before
    finally:
        for link in links:
            link.unlink()
            aside = link.with_name(f"{link.name}.aside")
            if aside.exists():
                aside.rename(link)
    assert server.get("/datastore/?output=all").status_code == 200


def test_what_the_server_writes_is_for_its_user_alone(server: Server) -> None:
    assert server.judge("case2", '{"verdict": "accept", "model": "average"}').status_code == 200
    home = server.studies / "fusion"
    folders = [home / "verdicts" / "case2", home / "shown" / "case2", home / "workers"]
    for folder in folders:
        for path in (home, folder, *folder.rglob("*")):
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_what_a_reader_saw_is_what_a_verdict_stores(server: Server) -> None:
    """At once: nothing is fused again."""
    words = {"windows": ["p5:p80", "auto"], "result_extension": ".nrrd"}
    seen = server.post("/infer/laplacian?image=case3&output=image", data={"params": json.dumps(words)})
    other = server.post("/infer/laplacian?image=case3&output=image")
    assert seen.content != other.content
    begun = time.monotonic()
    judged = {"verdict": "accept", "model": "laplacian", "fusion": seen.headers["Volfuse-Fusion"]}
    stored = server.judge("case3", json.dumps(judged)).json()["verdict"]
    assert time.monotonic() - begun < 1
    folder = server.studies / "fusion" / "verdicts" / "case3"
    assert (folder / stored["image"]).read_bytes() == seen.content
    # Who does not say which one means what was shown last.
    stored = server.judge("case3", '{"verdict": "accept", "model": "laplacian"}').json()["verdict"]
    assert (folder / stored["image"]).read_bytes() == other.content
    gone = server.judge("case3", json.dumps(judged | {"fusion": "0" * 64}))
    assert (gone.status_code, gone.json()["detail"]) == (
        410,
        "The fused image that was judged is not kept any more; fuse the case again, and look at it.",
    )
