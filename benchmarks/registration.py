"""How far registration misses points whose place is known, how long it takes, and whether the gate refuses two heads.

    python benchmarks/registration.py                       20 pairs of one head each, 10 pairs of two heads
    python benchmarks/registration.py --pairs 4 --two-heads 2

Errors are in voxels of the reference volume: median / 95 % / largest of 500 points. Times are processor time of all
threads, up to and with the stage: machines differ and are shared. "Gain" is what the gate looks at.
"""

import argparse
import os
from collections.abc import Callable, Sequence

import numpy as np
import SimpleITK as sitk

from volfuse.data.displaced import CONTRASTS, MOTIONS, DisplacedPair, displaced_pair
from volfuse.registration.gate import bending_gain, doubt_of_stages
from volfuse.registration.similarity import similarity_after
from volfuse.registration.stages import align, linear_part
from volfuse.registration.volumes import luminance

HEADER = (
    "pair",
    "motion",
    "scans",
    "before",
    "rigid+affine",
    "s",
    "+syn",
    "s",
    "SSIM",
    "NCC",
    "NMI",
    "edges",
)


def main() -> None:
    """Print one Markdown table of the pairs and one of the two-headed pairs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--two-heads", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="number of the first pair, which seeds it")
    parser.add_argument("--spacing", type=float, default=2.5, help="of the reference grid, mm")
    arguments = parser.parse_args()
    for count, other_head in ((arguments.pairs, 0), (arguments.two_heads, 1000)):
        print("\nTwo heads" if other_head else "\nOne head")
        print_row([*HEADER, "gain", "gate"])
        print_row(["---"] * (len(HEADER) + 2))
        for number in range(arguments.first, arguments.first + count):
            report(number, displaced_pair(number, subject=number + other_head, spacing=arguments.spacing))


def report(number: int, pair: DisplacedPair) -> None:
    """Register one pair and print its row; the similarity is that after rigid and affine."""
    reference, second = luminance(pair.reference), luminance(pair.second)
    start = processor_time()
    linear = align(reference, second, ["rigid", "affine"])
    seconds = [processor_time() - start]
    bent = align(reference, second, ["syn"], start=linear_part(linear))
    seconds.append(processor_time() - start)
    errors = [
        f"{np.median(missed):.2f} / {np.percentile(missed, 95):.2f} / {missed.max():.2f}"
        for missed in map(
            pair.target_errors, map(points_by, (sitk.Transform(3, sitk.sitkIdentity), linear, bent))
        )
    ]
    measured = similarity_after(reference, second, linear)
    gain = bending_gain(reference, second, linear_part(linear))
    doubt = doubt_of_stages(("rigid", "affine"), linear_part(linear), gain)
    print_row([
        str(number),
        MOTIONS[number % len(MOTIONS)],
        "-".join(CONTRASTS[number % len(CONTRASTS)]),
        *(errors[0], errors[1], f"{seconds[0]:.1f}", errors[2], f"{seconds[1]:.1f}"),
        *(f"{value:.2f}" for value in (measured.ssim, measured.ncc, measured.nmi, measured.edges)),
        f"{gain:+.1%}",
        "refused" if doubt else "passed",
    ])  # fmt: skip


def points_by(transform: sitk.Transform) -> Callable[[np.ndarray], np.ndarray]:
    """Return a map of points (P, 3) in RAS by a transform in LPS."""
    flip = np.array([-1.0, -1.0, 1.0])
    return lambda points: (
        np.array([transform.TransformPoint(point) for point in (points * flip).tolist()]) * flip
    )


def processor_time() -> float:
    """Seconds of this process and its children."""
    times = os.times()
    return times.user + times.children_user


def print_row(cells: Sequence[str]) -> None:
    """Print a row of a Markdown table."""
    print("|", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
