"""Where the time of one fusion goes, and how many slices at a time are fastest.

    python benchmarks/speed.py                       every model, a 256x256x160 volume
    python benchmarks/speed.py --models lightfusionnet --shape 128 128 64 --device cuda

Machines differ and are shared: read the ratios within one run, not the seconds.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

BATCH_SIZES = (1, 2, 4, 8, 16, 32)
REPETITIONS = 3


def main() -> None:
    """Measure each model in a process of its own, so that peak memory is that model's."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--models", nargs="*", help="names that `volfuse models` lists (default: every bundle)"
    )
    parser.add_argument("--shape", nargs=3, type=int, default=(256, 256, 160))
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args()
    if not arguments.models:
        from volfuse.models import bundles

        arguments.models = list(bundles())
    for name in arguments.models:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            print(pool.submit(measure, name, arguments.shape, arguments.device).result())


def measure(model: str, shape: Sequence[int], device_name: str) -> str:
    """Fuse a phantom pair with ``model``; returns Markdown tables of times."""
    import torch

    from volfuse.fusion.inferers import FusionInferer
    from volfuse.fusion.options import FusionOptions
    from volfuse.fusion.pipeline import FusionPipeline
    from volfuse.imaging import write_image

    pipeline = FusionPipeline(model, device_name)
    network, num_sources = pipeline.network, pipeline.model.num_sources or 2
    with tempfile.TemporaryDirectory() as folder:
        files = save_phantoms(Path(folder), shape, num_sources)
        steps = pipeline.steps(num_sources, FusionOptions(colormaps="hot"))
        seconds: dict[str, float] = {}
        case = dict(zip(steps.keys, files, strict=True))
        for step in steps.preprocessing.transforms:
            case = timed(seconds, type(step).__name__, step, case)
        image = case["image"][None]
        inferer = steps.inferer
        case["pred"] = timed(seconds, "network", inferer, image, network)[0]
        for step in steps.postprocessing.transforms:
            case = timed(seconds, type(step).__name__, step, case)
        timed(seconds, "write", write_image, case["pred"], Path(folder) / "fused.nii.gz")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20

    some = image[..., : 2 * max(BATCH_SIZES)]
    slices = some.shape[-1]
    batches = {}
    for batch_size in BATCH_SIZES:
        inferer = FusionInferer(
            inferer.divisor, batch_size=batch_size, mixed_precision=inferer.mixed_precision
        )
        times = [timed({}, "", inferer, some, network, seconds=True) for _ in range(REPETITIONS)]
        batches[batch_size] = min(times) / slices
    around = sum(seconds.values()) - seconds["network"]
    size = "x".join(map(str, shape))
    return "\n".join(
        [
            f"\n## {model}, {size}, {pipeline.device}, {torch.get_num_threads()} threads",
            f"total {sum(seconds.values()):.2f} s, peak memory {peak:.2f} GiB, "
            f"around the network / network = {around / seconds['network']:.2f}",
            "\n| step | s | share |\n|---|---|---|",
            *(f"| {name} | {s:.2f} | {s / sum(seconds.values()):.0%} |" for name, s in seconds.items()),
            "\n| slices at a time | ms per slice | ratio to 1 |\n|---|---|---|",
            *(f"| {n} | {1000 * s:.1f} | {s / batches[1]:.2f} |" for n, s in batches.items()),
        ]
    )


def timed(record: dict[str, float], name: str, function: Callable, *arguments: object, seconds: bool = False):
    """Call ``function``; record its seconds under ``name``; return its result (or the seconds)."""
    start = time.perf_counter()
    result = function(*arguments)
    record[name] = record.get(name, 0) + time.perf_counter() - start
    return record[name] if seconds else result


def save_phantoms(folder: Path, shape: Sequence[int], count: int) -> list[Path]:
    """Write a reference and sources on a coarser, turned grid, as int16 NIfTI (uncompressed)."""
    import nibabel

    from volfuse.data.phantoms import head_phantom

    files = []
    for number in range(count):
        grid_shape = shape if number == 0 else [max(1, size // 2) for size in shape]
        affine = np.diag([*(200 / np.array(grid_shape)), 1.0])
        if number:
            affine[:3, :3] @= np.array([[0.99, -0.14, 0], [0.14, 0.99, 0], [0, 0, 1]])
        affine[:3, 3] = -affine[:3, :3] @ (np.array(grid_shape) - 1) / 2
        values = head_phantom(grid_shape, affine, "mr" if number == 0 else "pet")
        files.append(folder / f"{number}.nii")
        nibabel.save(nibabel.Nifti1Image((values * 1000).astype(np.int16), affine), files[-1])
    return files


if __name__ == "__main__":
    main()
