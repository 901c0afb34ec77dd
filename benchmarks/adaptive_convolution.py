"""A kernel of its own for every image: one grouped convolution against unfolding and a matrix product.

    python benchmarks/adaptive_convolution.py

CSAFusion's adaptive convolution of 32 channels on one thread; the forms take turns, the best run of each counts.
Machines differ and are shared: read the ratios within one run, not the milliseconds.
"""

import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from volfuse.networks.csafusion import AdaptiveConv

CHANNELS = 32
REPETITIONS = 5
CASES = ((1, 256, False), (8, 256, False), (8, 120, True))
"""Images, their side, and whether gradients are computed as well."""


def main() -> None:
    """Print a Markdown table."""
    torch.set_num_threads(1)
    print("| images | gradients | grouped, ms | unfolded, ms | ratio | plain convolution, ms |")
    print("|---|---|---|---|---|---|")
    for images, side, gradients in CASES:
        grouped, unfolded, plain = (1000 * seconds for seconds in measure(images, side, gradients))
        print(
            f"| {images} of {side}x{side} | {'yes' if gradients else 'no'} "
            f"| {grouped:.1f} | {unfolded:.1f} | {unfolded / grouped:.1f} | {plain:.1f} |"
        )


def measure(images: int, side: int, gradients: bool) -> list[float]:
    """Return the processor time of the three forms in seconds."""
    conv = AdaptiveConv(CHANNELS, CHANNELS).eval()
    features = torch.rand(images, CHANNELS, side, side, requires_grad=gradients)
    forms = (grouped, unfolded, plain)
    rounds = [[timed(form, conv, features) for form in forms] for _ in range(REPETITIONS + 1)]
    return [min(times) for times in zip(*rounds[1:], strict=True)]


def grouped(conv: AdaptiveConv, features: Tensor) -> Tensor:
    return conv(features)


def unfolded(conv: AdaptiveConv, features: Tensor) -> Tensor:
    columns = F.unfold(features, 3, padding=1)
    return (conv.kernels(features).flatten(2) @ columns).unflatten(2, features.shape[2:])


def plain(conv: AdaptiveConv, features: Tensor) -> Tensor:
    return F.conv2d(features, conv.weight, padding=1)


def timed(form: Callable[[AdaptiveConv, Tensor], Tensor], conv: AdaptiveConv, features: Tensor) -> float:
    start = time.process_time()
    with torch.set_grad_enabled(features.requires_grad):
        result = form(conv, features)
    if features.requires_grad:
        result.sum().backward()
    return time.process_time() - start


if __name__ == "__main__":
    main()
