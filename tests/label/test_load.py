"""Many readers at once."""

import threading
import time
from pathlib import Path

import numpy as np
import psutil
import SimpleITK as sitk

from tests.label.server_process import Server

CLIENTS = 8
SECONDS = 8.0
MOST_GROWTH = 64 << 20
"""Bytes by which the server may grow while it serves; `python -m benchmarks.label_load` runs for a minute."""


def test_eight_clients_fuse_pictures_without_an_error_and_the_memory_stays(
    server: Server, tmp_path: Path
) -> None:
    files = []
    for number in range(2):
        values = np.random.default_rng(number).integers(0, 255, (64, 64), np.uint8)
        files.append(tmp_path / f"{number}.png")
        sitk.WriteImage(sitk.GetImageFromArray(values), str(files[-1]))
    uploads = [("files", (path.name, path.read_bytes())) for path in files]
    session = server.put("/session/", files=uploads).json()["session_id"]
    address = f"/infer/lightfusionnet?session_id={session}&output=image"
    memory = psutil.Process(server.process.pid).memory_info
    answers: list[tuple[int, bytes]] = []

    def fuse_until(end: float) -> None:
        while time.monotonic() < end:
            answer = server.post(address)
            answers.append((answer.status_code, answer.content))

    def run(seconds: float) -> None:
        end = time.monotonic() + seconds
        clients = [threading.Thread(target=fuse_until, args=(end,)) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()

    run(SECONDS / 4)  # what is loaded once is no growth
    before = memory().rss
    run(SECONDS)
    assert len(answers) >= 2 * CLIENTS
    assert {status for status, _ in answers} == {200} and len({content[10:] for _, content in answers}) == 1
    assert memory().rss - before < MOST_GROWTH
    assert server.ask("DELETE", f"/session/{session}").status_code == 200
    assert list((server.studies / "fusion" / "scratch").iterdir()) == []
