"""Training in several processes, one per GPU, as ``torchrun`` starts them, for ``multi_gpu_train.json`` of a bundle."""

import os
import tempfile
from collections.abc import Sequence
from typing import Any

import ignite.distributed as idist
import torch
import torch.distributed as dist
from monai.data import DistributedSampler
from monai.handlers import CheckpointSaver, StatsHandler, TensorBoardHandler
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import Dataset

_WRITERS = (CheckpointSaver, StatsHandler, TensorBoardHandler)


def local_device() -> torch.device:
    """Return the GPU of this process, or the CPU on a machine without one."""
    return torch.device(f"cuda:{os.environ['LOCAL_RANK']}" if torch.cuda.is_available() else "cpu")


def is_first() -> bool:
    """Tell whether this is the process that writes and reports; a process without others is."""
    return not dist.is_initialized() or dist.get_rank() == 0


def log_dir(folder: str) -> str:
    """Return ``folder`` in the first process, and in others one that nobody looks at: MONAI makes a log in each."""
    return folder if is_first() else tempfile.mkdtemp()


def without_writers(handlers: Sequence[Any]) -> list[Any]:
    """Return all handlers in the first process, and in others those that neither write nor report."""
    return [handler for handler in handlers if is_first() or not isinstance(handler, _WRITERS)]


def start(device: torch.device) -> None:
    """Join the other processes."""
    dist.init_process_group(backend="gloo" if device.type == "cpu" else "nccl")
    idist.sync()
    if device.type == "cuda":
        torch.cuda.set_device(device)


def stop() -> None:
    """Leave the other processes, whether or not they were joined."""
    if dist.is_initialized():
        dist.destroy_process_group()


def replicated(network: nn.Module, device: torch.device, **options: Any) -> DistributedDataParallel:
    """Return ``network`` on ``device`` with gradients averaged over all processes; ``options`` are DDP's."""
    devices = None if device.type == "cpu" else [device]
    return DistributedDataParallel(network.to(device), device_ids=devices, **options)


def sampler(dataset: Dataset[Any], training: bool) -> DistributedSampler:
    """Return what gives each process its part: shuffled and of one size in training, else in order, each item once."""
    return DistributedSampler(dataset, even_divisible=training, shuffle=training)
