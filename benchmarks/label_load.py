"""How the label server copes with many readers: pictures alone, then beside two clients that fuse volumes.

    python -m benchmarks.label_load --seconds 60 --output results/label_load.csv

Starts a server of its own on loopback, over a temporary folder. Every fusion is made anew: what is uploaded in a
session is not kept. The rows of the CSV: answers to pictures, errors, the median seconds of an answer, the slowest
*Accept* of an image that was shown, MiB of the server with its workers at the first tenth and at the end, and how long
the processors go on working after all clients have hung up.
"""

import argparse
import csv
import http.client
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median

import numpy as np
import psutil
import SimpleITK as sitk

from tests.label.server_process import HEADERS, Server, start

PICTURE = (256, 256)
VOLUME = (80, 256, 256)
ACCEPT = '{"verdict": "accept", "model": "average"}'


def write_pair(folder: Path, shape: Sequence[int], suffix: str) -> list[Path]:
    """Write two images of noise, the hardest content to compress, as the case ``flat``."""
    chance = np.random.default_rng(0)
    files = [folder / f"flat_{kind}{suffix}" for kind in ("mr", "pet")]
    for file in files:
        sitk.WriteImage(sitk.GetImageFromArray(chance.integers(0, 255, shape, np.uint8)), str(file))
    return files


def upload(server: Server, files: Sequence[Path]) -> str:
    """Begin a session; returns the address at which it is fused."""
    answer = server.put("/session/", files=[("files", (file.name, file.read_bytes())) for file in files])
    answer.raise_for_status()
    return f"?session_id={answer.json()['session_id']}&output=image"


class Clients:
    """Clients that ask for the same again and again, until they hang up in the middle of it."""

    def __init__(self, server: Server, address: str, number: int) -> None:
        self.seconds: list[float] = []
        self.errors = 0
        self._port, self._address = int(server.url.rpartition(":")[2]), address
        self._is_over = False
        self._connections: list[http.client.HTTPConnection] = []
        self._threads = [threading.Thread(target=self._ask) for _ in range(number)]
        for thread in self._threads:
            thread.start()

    def hang_up(self) -> None:
        """Close every connection, whatever it waits for."""
        self._is_over = True
        for connection in self._connections:
            if connection.sock is not None:
                with suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=600)
        self._connections.append(connection)
        while not self._is_over:
            begun = time.monotonic()
            try:
                connection.request("POST", self._address, headers=HEADERS)
                status = connection.getresponse()
                status.read()
            except (OSError, http.client.HTTPException):
                return
            self.errors += status.status != http.client.OK
            self.seconds.append(time.monotonic() - begun)


def processes(server: Server) -> list[psutil.Process]:
    """Return the server and its workers."""
    main = psutil.Process(server.process.pid)
    return [main, *main.children(recursive=True)]


def total(server: Server, measure: Callable[[psutil.Process], float]) -> float:
    """Return the sum of a measure over the server and its workers."""
    return sum(map(measure, processes(server)))


def cpu_seconds(process: psutil.Process) -> float:
    """Return what a process has used of the processors."""
    times = process.cpu_times()
    return times.user + times.system


def seconds_until_idle(server: Server) -> float:
    """Wait until the processors do nothing for the server; returns how long that took."""
    begun = time.monotonic()
    while True:
        before, moment = total(server, cpu_seconds), time.monotonic()
        time.sleep(0.5)
        if total(server, cpu_seconds) - before < 0.05:
            return moment - begun


def measure(server: Server, model: str, picture: str, volume: str, volumes: int, seconds: float) -> dict:
    """Return one row: 14 clients that fuse pictures, ``volumes`` that fuse volumes, and a reader who accepts."""
    pictures = Clients(server, f"/infer/{model}{picture}", 14)
    others = Clients(server, f"/infer/{model}{volume}", volumes)
    accepted: list[float] = []
    sizes: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begun = time.monotonic()
        server.put("/datastore/label?image=flat", data={"params": ACCEPT}).raise_for_status()
        accepted.append(time.monotonic() - begun)
        sizes.append(total(server, lambda process: process.memory_info().rss) / 2**20)
        time.sleep(seconds / 30)
    pictures.hang_up()
    others.hang_up()
    return {
        "clients": 14 + volumes,
        "with volumes": volumes,
        "answers": len(pictures.seconds),
        "errors": pictures.errors + others.errors,
        "median s": round(median(pictures.seconds), 2),
        "volumes done": len(others.seconds),
        "slowest accept s": round(max(accepted), 2),
        "MiB at first": round(sizes[len(sizes) // 10]),
        "MiB at the end": round(sizes[-1]),
        "idle after s": round(seconds_until_idle(server), 1),
    }


def main() -> None:
    """Start, measure, stop."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--model", default="lightfusionnet")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        studies, aside = Path(folder) / "studies", Path(folder) / "aside"
        studies.mkdir()
        aside.mkdir()
        pictures, volumes = write_pair(studies, PICTURE, ".png"), write_pair(aside, VOLUME, ".nii.gz")
        server = start(studies)
        try:
            server.post("/infer/average?image=flat&output=image").raise_for_status()
            addresses = upload(server, pictures), upload(server, volumes)
            for address in addresses:  # models are loaded once
                server.post(f"/infer/{options.model}{address}").raise_for_status()
            rows = [
                measure(server, options.model, *addresses, volumes, options.seconds) for volumes in (0, 2)
            ]
        finally:
            server.kill()
    for row in rows:
        print(row)
    if options.output:
        with options.output.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
