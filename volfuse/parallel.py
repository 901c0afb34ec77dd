"""Training in several processes, one per GPU, as ``torchrun`` starts them, for ``multi_gpu_train.json`` of a bundle."""

import os
from typing import Any

import ignite.distributed as idist
import torch
import torch.distributed as dist
from monai.data import DistributedSampler
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import Dataset


def local_device() -> torch.device:
    """Return the GPU of this process, or the CPU on a machine without one."""
    return torch.device(f"cuda:{os.environ['LOCAL_RANK']}" if torch.cuda.is_available() else "cpu")


def is_first() -> bool:
    """Tell whether this is the process that validates, writes and reports."""
    return dist.get_rank() == 0


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
