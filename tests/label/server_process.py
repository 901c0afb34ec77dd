"""A real label server on loopback, and cases for it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import requests
import torch
from monai.data import MetaTensor

from tests.conftest import REPOSITORY, grid
from volfuse.data.phantoms import head_phantom
from volfuse.imaging.files import write_image

TOKEN = "a-token-for-the-tests-only"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
SHAPE = (32, 32, 4)


@dataclass
class Server:
    """A running server and how to speak to it."""

    url: str
    studies: Path
    process: subprocess.Popen

    def ask(self, method: str, address: str, **options: object) -> requests.Response:
        options.setdefault("headers", HEADERS)
        options.setdefault("timeout", 120)
        return requests.request(method, self.url + address, **options)

    def get(self, address: str, **options: object) -> requests.Response:
        return self.ask("GET", address, **options)

    def post(self, address: str, **options: object) -> requests.Response:
        return self.ask("POST", address, **options)

    def put(self, address: str, **options: object) -> requests.Response:
        return self.ask("PUT", address, **options)

    def judge(self, case: str, words: str) -> requests.Response:
        return self.put(f"/datastore/label?image={case}", data={"params": words})

    def wait_for(self, address: str) -> dict:
        """Return the state of a background task once it has ended."""
        while (state := self.get(address).json())["status"] in ("SUBMITTED", "RUNNING"):
            time.sleep(0.2)
        return state

    def kill(self) -> None:
        """End it as a crash would, with everything it started."""
        with suppress(ProcessLookupError):  # a test has killed it
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def write_cases(folder: Path, number: int, noisy: int = 0) -> None:
    """Write cases ``case0``, ``case1``, ... of two phantoms each; the last ``noisy`` are degraded."""
    chance = np.random.default_rng(0)
    for index in range(number):
        affine = grid(6.0, 6.0, 20.0, center=SHAPE)
        affine[0, 3] += 4 * index
        for contrast in ("mr", "pet"):
            values = head_phantom(SHAPE, affine, contrast)
            if index >= number - noisy:
                values = (values + chance.normal(0, 0.2, SHAPE)).clip(0, 1)
            voxels = torch.from_numpy(np.round(values * 255).astype(np.uint8))[None]
            write_image(
                MetaTensor(voxels, affine=torch.from_numpy(affine)), folder / f"case{index}_{contrast}.nii.gz"
            )


def start(studies: Path, *options: str, first_on_path: Sequence[Path] = ()) -> Server:
    """Start ``volfuse serve`` in a session of its own; returns when it takes requests."""
    command = [sys.executable, "-m", "volfuse", "serve", "--studies", str(studies), "--port", "0", *options]
    environment = os.environ | {
        "VOLFUSE_TOKEN": TOKEN,
        "PYTHONPATH": os.pathsep.join(map(str, (*first_on_path, REPOSITORY))),
        "OMP_NUM_THREADS": "1",
        "NO_PROXY": "127.0.0.1",
    }
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True, cwd=studies
    )
    first, second = process.stdout.readline(), process.stdout.readline()
    assert second.startswith("Token: ")
    return Server(first.removeprefix("URL:").strip(), studies, process)
