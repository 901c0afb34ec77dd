"""FusionInferer: run a slice network over images and volumes, on whatever memory there is."""

import logging
from collections.abc import Callable
from itertools import chain
from typing import Any

import torch
import torch.nn.functional as F
from monai.data import MetaTensor
from monai.inferers import Inferer
from torch import Tensor, nn

from volfuse.errors import FusionCancelled, FusionError
from volfuse.models import FusionNetwork

_logger = logging.getLogger(__name__)

# Slices per pass where none is asked for. One at a time keeps a CPU's caches warm (benchmarks/speed.py).
CPU_BATCH, GPU_BATCH = 1, 32


class FusionInferer(Inferer):
    """Fuse a batch of images slice by slice.

    Every slice is fused on its own and whole: networks with global attention or pooling give other values on
    crops. The result does not depend on ``batch_size``.

    Args:
        divisor: height and width are padded (edge replicated) to a multiple of it and cropped back.
        axis: the axis of a volume that slices are stacked along, counted in (B, N, H, W, D).
        batch_size: slices per pass; 0 chooses by device. Halved whenever the device runs out of
            memory; when even one slice does not fit, the rest is fused on the CPU.
        mixed_precision: bfloat16 where the network runs on a GPU. The result is float32 either way.
        progress: called after every pass as ``progress(slices_done, slices_in_all)``.
        should_stop: asked before every pass.

    Raises:
        FusionCancelled: when ``should_stop`` says so.
        FusionError: if memory runs out on the CPU too, or the network returns values that are not finite.
    """

    def __init__(
        self,
        divisor: int = 1,
        axis: int = -1,
        batch_size: int = 0,
        mixed_precision: bool = False,
        progress: Callable[[int, int], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> None:
        super().__init__()
        self.divisor = divisor
        self.axis = axis
        self.batch_size = batch_size
        self.mixed_precision = mixed_precision
        self.progress = progress
        self.should_stop = should_stop

    @torch.no_grad()
    def __call__(self, inputs: Tensor, network: FusionNetwork, *args: Any, **kwargs: Any) -> Tensor:
        """Fuse (B, N, H, W) or (B, N, H, W, D), values 0..1.

        Returns:
            (B, C, H, W) or (B, C, H, W, D) on the device of ``inputs``, float32, with the metadata of ``inputs``.
            The first channel, usually the only one, is the fused image, values 0..1; what else the network returns
            is left as it is.
        """
        sources = inputs.as_tensor() if isinstance(inputs, MetaTensor) else inputs
        if sources.ndim == 4:
            fused = self._fuse_slices(sources, network, *args, **kwargs)
        elif sources.ndim == 5:
            stack = sources.movedim(self.axis, 1)
            slices = self._fuse_slices(stack.flatten(0, 1), network, *args, **kwargs)
            fused = slices.unflatten(0, stack.shape[:2]).movedim(1, self.axis)
        else:
            raise ValueError(
                f"inputs must be (B, N, H, W) or (B, N, H, W, D), not {sources.ndim}-dimensional"
            )
        return MetaTensor(fused, meta=dict(inputs.meta)) if isinstance(inputs, MetaTensor) else fused

    def _fuse_slices(self, slices: Tensor, network: FusionNetwork, *args: Any, **kwargs: Any) -> Tensor:
        total, _, height, width = slices.shape
        fused = slices.new_empty(0)
        home = device = _device_of(network, slices)
        batch_size = self.batch_size or default_batch(device)
        done = 0
        try:
            while done < total:
                if self.should_stop and self.should_stop():
                    raise FusionCancelled
                batch = slices[done : done + batch_size].to(device)
                try:
                    result = self._fuse_batch(batch, network, *args, **kwargs)
                except RuntimeError as error:
                    if not _is_out_of_memory(error):
                        raise
                    batch_size, device = self._retreat(batch_size, device, network, error)
                    continue
                if done == 0:  # only now the number of channels is known
                    shape = (total, result.shape[1], height, width)
                    fused = torch.empty(shape, dtype=torch.float32, device=slices.device)
                fused[done : done + len(batch)] = result
                done += len(batch)
                if self.progress:
                    self.progress(done, total)
        finally:
            if device != home:
                _move(network, home)
        if not torch.isfinite(torch.stack(torch.aminmax(fused))).all():  # one NaN makes both NaN
            raise FusionError(
                "The network returned values that are not finite; its weights are damaged, "
                "or mixed precision does not suit it."
            )
        fused[:, :1].clamp_(0, 1)
        return fused

    def _fuse_batch(self, batch: Tensor, network: FusionNetwork, *args: Any, **kwargs: Any) -> Tensor:
        height, width = batch.shape[-2:]
        padded = F.pad(batch, (0, -width % self.divisor, 0, -height % self.divisor), mode="replicate")
        reduced = self.mixed_precision and batch.device.type == "cuda"
        with torch.autocast(batch.device.type, dtype=torch.bfloat16, enabled=reduced):
            return network(padded, *args, **kwargs)[..., :height, :width].float()

    @staticmethod
    def _retreat(
        batch_size: int, device: torch.device, network: FusionNetwork, error: Exception
    ) -> tuple[int, torch.device]:
        if batch_size > 1:
            _logger.warning("Out of memory on %s: %d slices at a time now", device, batch_size // 2)
            return batch_size // 2, device
        if device.type == "cpu":
            raise FusionError(
                "There is too little memory for one slice; close other programs or use a smaller model."
            ) from error
        _logger.warning("Out of memory on %s with one slice: the rest is fused on the CPU", device)
        cpu = torch.device("cpu")
        _move(network, cpu)
        return CPU_BATCH, cpu


def default_batch(device: torch.device) -> int:
    """Return how many slices are fused at a time where none is asked for."""
    return CPU_BATCH if device.type == "cpu" else GPU_BATCH


def _device_of(network: FusionNetwork, slices: Tensor) -> torch.device:
    """Networks run where their weights are; rules without weights run where the slices are."""
    state = chain(network.parameters(), network.buffers()) if isinstance(network, nn.Module) else ()
    return next((tensor.device for tensor in state), slices.device)


def _move(network: FusionNetwork, device: torch.device) -> None:
    if isinstance(network, nn.Module):
        network.to(device)


def _is_out_of_memory(error: RuntimeError) -> bool:
    """GPUs have an exception for it, the CPU's allocator a sentence."""
    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator: can't allocate" in str(error)
