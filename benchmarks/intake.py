"""What a fusion takes around its network: peak memory, and CPU time for each voxel of the reference.

    python benchmarks/intake.py                        512x512x1000, grey and in colour, on one grid and on others
    python benchmarks/intake.py --shape 256 256 200 --suffix .nii.gz

Every case runs in a process of its own on one core, with a rule that takes the mean: what is left is reading,
windows, resampling, colour and writing. ``fuse`` is the rule with the handling of its slices, and is not counted.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

GRIDS = {
    "one grid": (1.0, 0.0),
    "half the voxels along each axis": (0.5, 0.0),
    "half the voxels, turned by 8 degrees": (0.5, 8.0),
}
CASES = [
    ("one grid", None, "gamut"),
    ("one grid", "hot", "published"),
    ("one grid", "hot", "gamut"),
    ("half the voxels along each axis", None, "gamut"),
    ("half the voxels, turned by 8 degrees", None, "gamut"),
]


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", nargs=3, type=int, default=(512, 512, 1000))
    parser.add_argument("--suffix", choices=(".nii", ".nii.gz"), default=".nii", help="of all three files")
    parser.add_argument("--folder", type=Path, help="where the files lie meanwhile")
    arguments = parser.parse_args()
    print(f"{'x'.join(map(str, arguments.shape))} int16, {arguments.suffix}\n")
    print("| second source | colour | peak, GB | ns a voxel | prepare | restore | write | fuse |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        reference = save_noise(Path(folder) / f"reference{arguments.suffix}", arguments.shape)
        for name, (scale, degrees) in GRIDS.items():
            second = save_noise(
                Path(folder) / f"second{arguments.suffix}", arguments.shape, scale, degrees, seed=1
            )
            for _, colormap, color in (case for case in CASES if case[0] == name):
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                    files = [reference, second, Path(folder) / f"fused{arguments.suffix}"]
                    peak, steps = pool.submit(measure, files, colormap, color).result()
                ns = {step: 1e9 * seconds / np.prod(arguments.shape) for step, seconds in steps.items()}
                around = ns["prepare"] + ns["restore"] + ns["write"]
                each = " | ".join(f"{ns[step]:.1f}" for step in ("prepare", "restore", "write", "fuse"))
                shown = f"{colormap}, {color}" if colormap else "grey"
                print(f"| {name} | {shown} | {peak:.2f} | {around:.1f} | {each} |", flush=True)


def measure(files: Sequence[Path], colormap: str | None, color: str) -> tuple[float, dict[str, float]]:
    """Fuse two files into a third; returns the peak of this process in GB, and CPU seconds by step."""
    import torch

    from volfuse.fusion import slabs
    from volfuse.fusion.options import FusionOptions
    from volfuse.fusion.pipeline import FusionPipeline
    from volfuse.imaging import write_image

    torch.set_num_threads(1)
    slabs.perf_counter = time.process_time  # not how long others kept the processor
    pipeline = FusionPipeline("average", "cpu")
    fused = pipeline.fuse_image(files[:2], FusionOptions(colormaps=[None, colormap], color=color))
    seconds, image = dict(fused.seconds), fused.image
    start = time.process_time()
    write_image(image, files[2], compress=False)
    seconds["write"] = time.process_time() - start
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9, seconds


def save_noise(
    file: Path, shape: Sequence[int], scale: float = 1.0, degrees: float = 0.0, seed: int = 0
) -> Path:
    """Write a smooth int16 volume with noise, ``scale`` times as many voxels along each axis, about one centre."""
    import nibabel

    size = [max(1, round(length * scale)) for length in shape]
    angle = np.deg2rad(degrees)
    affine = np.eye(4)
    affine[:3, :3] = np.diag(np.divide(shape, size))
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine[:3, :3] = turn @ affine[:3, :3]
    affine[:3, 3] = -affine[:3, :3] @ (np.array(size) - 1) / 2
    chance = np.random.default_rng(seed)
    rows, columns = (np.sin(np.linspace(0, np.pi, length)) for length in size[:2])
    plane = 2000 * np.outer(rows, columns) + chance.normal(0, 20, size[:2])
    voxels = np.empty(size, np.int16, order="F")
    for number in range(size[2]):
        voxels[..., number] = np.roll(plane, 7 * number, axis=0) - 1000
    nibabel.save(nibabel.Nifti1Image(voxels, affine), file)
    return file


if __name__ == "__main__":
    main()
