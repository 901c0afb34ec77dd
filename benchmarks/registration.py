"""How far registration misses points whose place is known, how long it takes, and whether the gate sees strangers.

    python benchmarks/registration.py                       20 pairs of one head each, 10 pairs of two heads
    python benchmarks/registration.py --pairs 4 --strangers 2

Times are processor time of all threads: machines differ and are shared.
"""

import argparse
import os
from collections.abc import Callable, Sequence

import numpy as np
import SimpleITK as sitk

from volfuse.data.displaced import DisplacedPair, displaced_pair
from volfuse.registration.stages import STAGES, align
from volfuse.registration.volumes import likeness, luminance


def main() -> None:
    """Print one Markdown table, a row per pair and set of stages."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--strangers", type=int, default=10)
    parser.add_argument("--stages", nargs="+", default=["none", "rigid,affine", "rigid,affine,syn"])
    arguments = parser.parse_args()
    print_row(["pair", "stages", "median", "95 %", "largest", "seconds", "SSIM", "NCC", "NMI", "edges"])
    print_row(["---"] * 10)
    for number in range(arguments.pairs):
        report(f"{number}", displaced_pair(number), arguments.stages)
    for number in range(arguments.strangers):
        report(f"{number} two heads", displaced_pair(number, subject=number + 1000), arguments.stages)


def report(name: str, pair: DisplacedPair, stages: Sequence[str]) -> None:
    """Print the errors in voxels of the fixed volume, the time and the likeness."""
    fixed, moving = luminance(pair.fixed), luminance(pair.moving)
    for chosen in stages:
        start = processor_time()
        names = [stage for stage in STAGES if stage in chosen.split(",")]
        transform = align(fixed, moving, names) if names else sitk.Transform(3, sitk.sitkIdentity)
        seconds = processor_time() - start
        errors = pair.target_errors(points_by(transform))
        measured = likeness(fixed, moving, transform)
        values = [np.median(errors), np.percentile(errors, 95), errors.max(), seconds]
        values += [measured.ssim, measured.ncc, measured.nmi, measured.edges]
        print_row([name, chosen, *(f"{value:.2f}" for value in values)])


def points_by(transform: sitk.Transform) -> Callable[[np.ndarray], np.ndarray]:
    """Return a map of points (P, 3) in RAS by a transform in LPS."""
    flip = np.array([-1.0, -1.0, 1.0])
    return lambda points: (
        np.array([transform.TransformPoint(point) for point in (points * flip).tolist()]) * flip
    )


def processor_time() -> float:
    times = os.times()
    return times.user + times.children_user


def print_row(cells: Sequence[str]) -> None:
    print("|", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
