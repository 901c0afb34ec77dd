"""How long the label server's scoring takes for one volume, and then for 200 of them.

    python -m benchmarks.label_scoring --csv results/label_scoring.csv

The volume is a pair of noisy phantom heads of 256 x 256 x 160 voxels of 16 bits, compressed. It is scored three times
by the server's own function, with the models that it takes by default: first, again as if nothing were stored, and
with what is stored. The hours are those that 200 of them would take one after another, at the speed of the second.
"""

import argparse
import csv
import tempfile
import time
from pathlib import Path

import nibabel
import numpy as np
import torch

from volfuse.data.phantoms import head_phantom
from volfuse.label.scoring import QUICK_MODELS, score

SHAPE = (256, 256, 160)
VOLUMES = 200


def write_pair(folder: Path) -> list[Path]:
    affine = np.diag([0.9, 0.9, 1.1, 1.0])
    affine[:3, 3] = -affine[:3, :3] @ (np.array(SHAPE) / 2)
    chance = np.random.default_rng(0)
    files = []
    for contrast in ("mr", "pet"):
        values = (head_phantom(SHAPE, affine, contrast) + chance.normal(0, 0.02, SHAPE)).clip(0, 1)
        files.append(folder / f"case_{contrast}.nii.gz")
        nibabel.save(nibabel.Nifti1Image(np.round(values * 4095).astype(np.int16), affine), files[-1])
    return files


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--csv", type=Path, help="where the table goes")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    seconds, stored = [], {}
    with tempfile.TemporaryDirectory() as folder:
        files = write_pair(Path(folder))
        for known in (False, False, True):
            begin = time.perf_counter()
            stored = score(files, QUICK_MODELS, stored if known else {})
            seconds.append(time.perf_counter() - begin)
    row = {
        "volume": " x ".join(map(str, SHAPE)),
        "models": len(QUICK_MODELS),
        "threads": options.threads,
        "first s": f"{seconds[0]:.1f}",
        "second s": f"{seconds[1]:.1f}",
        "stored s": f"{seconds[2]:.2f}",
        "hours for 200": f"{VOLUMES * seconds[1] / 3600:.1f}",
    }
    print(row)
    if options.csv:
        with options.csv.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, row, lineterminator="\n")
            writer.writeheader()
            writer.writerow(row)


if __name__ == "__main__":
    main()
