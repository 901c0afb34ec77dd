"""Does a quick look tell registered pairs from moved ones, and a scan from its mirror image?

python benchmarks/mirror.py DATA -o research/2026-11-mirror.csv

A second file, ``...-summary.csv``, counts what the looks came to. DATA holds volumes/ (registered_t1_t1c_t2_flair,
flair_t1c_tumour, unregistered_t1_t2) and pairs/, whose slices are stacked. Neither is part of the project.
"""

import argparse
import csv
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from monai.data import MetaTensor

from volfuse.imaging import as_image, read_image
from volfuse.registration.coarse import AS_GOOD, Look, look
from volfuse.registration.verdict import is_registered
from volfuse.registration.volumes import luminance

STACKS = {
    "ct_mri": ("ct", 6.0),
    "pet_mri": ("pet", 1.8),
    "spect_mri": ("spect", 6.0),
}  # mm between slices, about
CASES, FEWEST_SLICES = 4, 14
COLUMNS = ("pair", "second volume", "distance", "gain", "mirror ratio", "CPU seconds")


def mirrored(volume: MetaTensor) -> MetaTensor:
    """Exchange left and right of the voxels, not of the header: as a lost or wrong flip does."""
    axis = int(volume.affine[0, :3].abs().argmax())
    return MetaTensor(torch.flip(volume.as_tensor(), [1 + axis]), meta=volume.meta)


def moved(volume: MetaTensor, degrees: tuple[float, ...], shift: tuple[float, ...]) -> MetaTensor:
    turn = sitk.Euler3DTransform((0, 0, 0), *np.radians(degrees))
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = np.reshape(turn.GetMatrix(), (3, 3)), shift
    return MetaTensor(
        volume.as_tensor(), meta=volume.meta | {"affine": torch.from_numpy(affine) @ volume.affine}
    )


KINDS: dict[str, Callable[[MetaTensor], MetaTensor]] = {
    "as it is": lambda volume: volume,
    "moved by 10 mm": lambda volume: moved(volume, (0, 0, 0), (6, -6, 5.3)),
    "turned and moved": lambda volume: moved(volume, (4, -3, 6), (3, 5, -4)),
    "mirrored": mirrored,
    "mirrored, turned and moved": lambda volume: moved(mirrored(volume), (4, -3, 6), (3, 5, -4)),
}


def pairs(data: Path) -> Iterator[tuple[str, MetaTensor, MetaTensor]]:
    folder = data / "volumes" / "registered_t1_t1c_t2_flair"
    for first, second in itertools.combinations(("t1n", "t1c", "t2w", "t2f"), 2):
        yield (
            f"BraTS-MET {first} {second}",
            *(read_image(folder / f"{name}.nii.gz") for name in (first, second)),
        )
    for folder in sorted((data / "volumes" / "flair_t1c_tumour").iterdir()):
        yield f"BraTS {folder.name}", read_image(folder / "flair.nii.gz"), read_image(folder / "t1c.nii.gz")
    folder = data / "volumes" / "unregistered_t1_t2"
    for first, second in (("t1", "t2"), ("t2", "t1")):
        yield f"TCGA {first} {second}", *(read_image(folder / f"{name}.nii.gz") for name in (first, second))
    for task, (modality, distance) in STACKS.items():
        files = sorted((data / "pairs" / task / "train" / "mri").glob("*.png"))
        cases = [(case, list(group)) for case, group in itertools.groupby(files, lambda file: file.stem[:-3])]
        for case, slices in [each for each in cases if len(each[1]) >= FEWEST_SLICES][:CASES]:
            others = [slices[0].parents[1] / modality / file.name for file in slices]
            yield f"AANLIB {modality} {case}", stack(slices, distance), stack(others, distance)


def stack(files: list[Path], distance: float) -> MetaTensor:
    slices = [read_image(file).mean(0).squeeze(-1) for file in files]
    return as_image((torch.stack(slices, -1).as_tensor(), np.diag([-1.0, -1.0, distance, 1.0])))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    chosen = parser.parse_args()
    with chosen.output.open("w", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for name, reference, second in pairs(chosen.data):
            for kind, change in KINDS.items():
                greys = luminance(reference), luminance(change(second))
                start = time.process_time()
                seen = look(*greys)
                seconds = f"{time.process_time() - start:.1f}"
                numbers = (
                    (f"{seen.distance:.1f}", f"{seen.gain:.3f}", f"{seen.mirrored:.3f}") if seen else [""] * 3
                )
                rows.writerow([name, kind, *numbers, seconds])
                file.flush()
    summarize(chosen.output)


def summarize(file: Path) -> None:
    """Count, for each kind of pair and of second volume, what the looks in ``file`` came to."""
    groups: dict[tuple[str, str], list[tuple[bool | None, bool]]] = {}
    with file.open(newline="") as rows:
        for row in csv.DictReader(rows):
            first, modality = row["pair"].split()[:2]
            kind = f"MR with {modality.upper()}, aligned stacks" if first == "AANLIB" else "MR with MR"
            kind += ", as scanned" if first == "TCGA" else ""
            seen = Look(*(float(row[name]) for name in COLUMNS[2:5]))
            said = groups.setdefault((kind, row["second volume"]), [])
            said.append((is_registered(seen), seen.mirrored >= AS_GOOD))
    with file.with_name(f"{file.stem}-summary.csv").open("w", newline="") as output:
        rows = csv.writer(output, lineterminator="\n")
        rows.writerow(
            ["pairs", "second volume", "number", "registered", "not registered", "not told", "mirrored"]
        )
        for group, said in groups.items():
            counts = [sum(verdict is each for verdict, _ in said) for each in (True, False, None)]
            rows.writerow([*group, len(said), *counts, sum(mirrored for _, mirrored in said)])


if __name__ == "__main__":
    main()
