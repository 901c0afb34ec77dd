"""How the label server copes with eight readers who fuse pictures for a minute: errors, answers per second, memory.

    python -m benchmarks.label_load --seconds 60

Starts a server of its own on loopback, over a temporary folder.
"""

import argparse
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import psutil
import SimpleITK as sitk

from tests.label.server_process import Server, start

SIZE = 256


def write_pictures(folder: Path) -> None:
    """Write the case ``flat``: two pictures of noise, the hardest content to compress."""
    chance = np.random.default_rng(0)
    for kind in ("mr", "pet"):
        values = chance.integers(0, 255, (SIZE, SIZE), np.uint8)
        sitk.WriteImage(sitk.GetImageFromArray(values), str(folder / f"flat_{kind}.png"))


def measure(server: Server, model: str, clients: int, seconds: float) -> None:
    """Print one row of memory per tenth of the time, then the totals."""
    process = psutil.Process(server.process.pid)
    server.post(f"/infer/{model}?image=flat&output=image").raise_for_status()
    answers: Counter[int] = Counter()
    end = time.monotonic() + seconds

    def fuse() -> None:
        while time.monotonic() < end:
            answers[server.post(f"/infer/{model}?image=flat&output=image").status_code] += 1

    threads = [threading.Thread(target=fuse) for _ in range(clients)]
    for thread in threads:
        thread.start()
    sizes = []
    while time.monotonic() < end:
        time.sleep(seconds / 10)
        sizes.append(process.memory_info().rss / 2**20)
        print(
            f"{seconds - (end - time.monotonic()):6.1f} s  {sum(answers.values()):6d} answers  {sizes[-1]:7.1f} MiB"
        )
    for thread in threads:
        thread.join()
    total = sum(answers.values())
    print(
        f"{clients} clients, {SIZE}x{SIZE} pictures, {model}: {total / seconds:.1f} answers per second, "
        f"by status {dict(answers)}"
    )
    print(f"Memory from the first tenth to the last: {sizes[-1] - sizes[0]:+.1f} MiB")


def main() -> None:
    """Start, measure, stop."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--model", default="lightfusionnet")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_pictures(Path(folder))
        server = start(Path(folder))
        try:
            measure(server, options.model, options.clients, options.seconds)
        finally:
            server.kill()


if __name__ == "__main__":
    main()
