"""What a model costs: parameters, multiply-adds, time."""

import platform
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from volfuse.fusion.pipeline import FusionPipeline
from volfuse.networks.complexity import count_multiply_adds, count_parameters

SIZE = 256
_REPETITIONS = 5


@dataclass(frozen=True)
class Cost:
    """The cost of one model on one slice of 256x256.

    Attributes:
        parameters: 0 for rules.
        multiply_adds: counted as the papers do (see ``volfuse.networks.complexity``); ``None`` for rules, which
            have none of the layers that are counted.
        seconds: median time.
    """

    parameters: int
    multiply_adds: int | None
    seconds: float


def measure_cost(pipeline: FusionPipeline) -> Cost:
    """Count and time one model; nothing else should run meanwhile."""
    num_sources, network = pipeline.model.num_sources or 2, pipeline.network
    parameters = count_parameters(network)
    multiply_adds = count_multiply_adds(network, num_sources, SIZE, SIZE) if parameters else None
    sources = torch.rand(1, num_sources, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    sources = sources.to(pipeline.device)
    steps = pipeline.steps(num_sources)
    times = []
    for _ in range(_REPETITIONS + 1):
        start = time.perf_counter()
        steps.infer(sources).cpu()  # the copy waits until a GPU is done
        times.append(time.perf_counter() - start)
    return Cost(parameters, multiply_adds, statistics.median(times[1:]))


def describe_device(device: torch.device) -> str:
    """Return what the times were measured on."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {torch.get_num_threads()} threads"
