"""How long the backends of the selective scan take, over the length of the sequence.

    python benchmarks/scan.py                          this machine's processor, one thread
    python benchmarks/scan.py --device cuda --channels 192 --lengths 16 64 256 1024

Machines differ and are shared: read the ratios within one row, not the milliseconds.
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor

from volfuse.errors import FusionError
from volfuse.networks.layers.selective_scan import BACKENDS, Backend, selective_scan

GROUPS, STATES = 4, 16  # those of FusionMamba
REPETITIONS = 3


def main() -> None:
    """Print one Markdown table for inference and one for training."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lengths", nargs="*", type=int, default=(16, 64, 256, 1024, 4096))
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    backends = [backend for backend in BACKENDS if works(backend, arguments.device)]
    for title, run in (("inference", infer), ("training", train)):
        print(
            f"\n## {title}: batch {arguments.batch}, {GROUPS} groups, {arguments.channels} channels, "
            f"{STATES} states, {arguments.device}\n"
        )
        print(f"| length | {' | '.join(f'{backend}, ms (ratio)' for backend in backends)} |")
        print("|---" * (len(backends) + 1) + "|")
        for length in arguments.lengths:
            tensors = system(arguments.batch, length, arguments.channels, arguments.device)
            seconds = {backend: measure(run, tensors, backend) for backend in backends}
            cells = (f"{1000 * s:.1f} ({s / seconds['reference']:.2f})" for s in seconds.values())
            print(f"| {length} | {' | '.join(cells)} |", flush=True)


def works(backend: Backend, device: str) -> bool:
    """Whether a backend can run on a device."""
    try:
        infer(system(1, 1, 1, device), backend)
    except FusionError as error:
        print(f"without {backend}: {error}")
        return False
    return True


def system(batch: int, length: int, channels: int, device: str) -> list[Tensor]:
    """Random tensors of the sizes that FusionMamba scans, with step sizes as it starts with."""
    generator = torch.Generator().manual_seed(0)
    sequence, matrix = (batch, GROUPS, length, channels), (batch, GROUPS, length, STATES)
    tensors = [
        torch.randn(sequence, generator=generator),
        torch.rand(sequence, generator=generator) / 10,
        -torch.arange(1.0, STATES + 1)[:, None].repeat(GROUPS, 1, channels),
        torch.randn(matrix, generator=generator),
        torch.randn(matrix, generator=generator),
    ]
    return [tensor.to(device).requires_grad_() for tensor in tensors]


@torch.no_grad()
def infer(tensors: list[Tensor], backend: Backend) -> None:
    selective_scan(*tensors, backend=backend)


def train(tensors: list[Tensor], backend: Backend) -> None:
    selective_scan(*tensors, backend=backend).sum().backward()


def measure(run: Callable[[list[Tensor], Backend], None], tensors: list[Tensor], backend: Backend) -> float:
    """The fewest seconds of a few runs."""
    on_gpu = tensors[0].device.type == "cuda"
    seconds = []
    for _ in range(REPETITIONS):
        # A shared processor's time is counted while this process has it; a GPU's by the clock.
        clock = time.perf_counter if on_gpu else time.process_time
        start = clock()
        run(tensors, backend)
        if on_gpu:
            torch.cuda.synchronize()
        seconds.append(clock() - start)
    return min(seconds)


if __name__ == "__main__":
    main()
