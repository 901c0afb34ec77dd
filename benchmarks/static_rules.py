"""How visible a tumour can be at best in a fused image whose every voxel depends on the two values there alone.

    python benchmarks/static_rules.py --data VOLUMES > research/2026-11-static-rules.csv

For each patient of ``VOLUMES/flair_t1c_tumour`` a row has the contrast of the tumour (benchmarks/volumes.py) in both
scans, and what fused images keep of the better one: first some rules as they are, then the best static rule
f(FLAIR, T1c), fitted to this very patient, under conditions that grow stricter:

``within``      min(a, b) <= f(a, b) <= max(a, b): nothing is shown that neither scan has
``monotone``    and a brighter value of either scan never makes f darker
``loses none``  and of any small change of either scan at least 0.3 arrives: df/da >= 0.3 and df/db >= 0.3
``fair``        and f(a, b) = f(b, a): the rule does not know which scan shows the tumour

Without any condition there is no bound: an f that is 1 at pairs of values that only the tumour has, and 0 elsewhere,
has any contrast. Within and monotone allow f = the better scan, so their bounds are 1 or more, and the other scan may
be lost: as f(a, a) = a, what a static rule keeps of a small change in the one and in the other scan adds up to 1
there.

f is bilinear between the nodes of a grid, p and q are the densities of the pairs of values inside and outside the
tumour. The best contrast is one convex quadratic programme (Charnes and Cooper 1962): with y = s f,

    minimise  sum q (y - m)^2   over y, m and s > 0   so that   sum (p - q) y = 1   and s times the conditions hold,

solved by Newton's method with a logarithmic barrier from f = (a + b) / 2.
"""

import argparse
import csv
import sys
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.ndimage import map_coordinates
from volumes import axial_mask, contrast

from volfuse.fusion.pipeline import FusionPipeline

RULES = ("average", "maximum", "laplacian")
KEPT = 0.3
"""What must arrive of a small change: the share below which the insertion test calls a lesion lost."""
NODES = 25
CONDITIONS = {
    "within": {"slope": None, "fair": False},
    "monotone": {"slope": 0.0, "fair": False},
    "loses none": {"slope": KEPT, "fair": False},
    "fair": {"slope": KEPT, "fair": True},
}
_SLACK = 1e-3  # of the grey values: the barrier needs room, also where both scans agree
_GAP = 1e-3  # of the squared contrast


def main() -> None:
    """Print a CSV, a row per patient."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    pipelines = {rule: FusionPipeline(rule) for rule in RULES}
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["patient", "flair", "t1c", *RULES, *CONDITIONS])
    for patient in sorted((arguments.data / "flair_t1c_tumour").iterdir()):
        label, brain = (axial_mask(patient / f"{name}.nii.gz") for name in ("tumour", "brainmask"))
        cases = [
            pipeline.fuse_case([patient / "flair.nii.gz", patient / "t1c.nii.gz"])
            for pipeline in pipelines.values()
        ]
        sources = cases[0].sources.as_tensor()
        alone = [contrast(source, label, brain) for source in sources]
        fused = [contrast(case.fused[0], label, brain) for case in cases]
        inside, outside = (sources[:, mask].numpy() for mask in (label & brain, ~label & brain))
        best = [
            visible(best_rule(inside, outside, **condition), inside, outside)
            for condition in CONDITIONS.values()
        ]
        shares = [value / max(alone) for value in (*fused, *best)]
        writer.writerow([patient.name, *(f"{value:.3f}" for value in (*alone, *shares))])


def best_rule(inside: np.ndarray, outside: np.ndarray, slope: float | None, fair: bool) -> np.ndarray:
    """Fit a static rule to one patient, in whose average of both scans the tumour is brighter or darker.

    Args:
        inside: (2, voxels) of the tumour, values 0..1.
        outside: (2, voxels) of the rest of the brain.
        slope: what must at least arrive of a small change in either scan; ``None`` sets no condition.
        fair: whether the rule treats both scans alike.

    Returns:
        f at the nodes, (NODES, NODES), the first scan along the rows.
    """
    p, q = (density(values) for values in (inside, outside))
    if fair:
        p, q = (p + p.T) / 2, (q + q.T) / 2
    values = np.linspace(0, 1, NODES)
    average = np.add.outer(values, values) / 2
    rise = (p - q).ravel() * np.sign(((p - q) * average).sum())
    scale = 1 / (rise @ average.ravel())
    # The unknowns are y at the nodes, m and s; the rows of a condition times them are above 0.
    conditions = _conditions(values, slope)
    deviation = np.hstack([np.eye(NODES**2), -np.ones((NODES**2, 1)), np.zeros((NODES**2, 1))])
    quadratic = deviation.T @ (q.reshape(-1, 1) * deviation)
    equality = np.concatenate([rise, [0, 0]])
    start = np.concatenate([scale * average.ravel(), [scale * (q * average).sum(), scale]])
    solution = _minimise(quadratic, conditions, equality, start)
    return (solution[:-2] / solution[-1]).reshape(NODES, NODES)


def density(values: np.ndarray) -> np.ndarray:
    """Return how often pairs (2, voxels) of 0..1 occur, each shared out bilinearly among four nodes."""
    place = values.clip(0, 1).astype(np.float64) * (NODES - 1)
    low = np.minimum(place.astype(int), NODES - 2)
    part = place - low
    counts = np.zeros((NODES, NODES))
    for row in (0, 1):
        for column in (0, 1):
            shares = (part[0] if row else 1 - part[0]) * (part[1] if column else 1 - part[1])
            np.add.at(counts, (low[0] + row, low[1] + column), shares)
    return counts / counts.sum()


def visible(rule: np.ndarray, inside: np.ndarray, outside: np.ndarray) -> float:
    """Return the contrast of the tumour in what the rule makes of the voxels."""
    within, beyond = (
        map_coordinates(rule, values.clip(0, 1).astype(np.float64) * (NODES - 1), order=1, mode="nearest")
        for values in (inside, outside)
    )
    return float(abs(within.mean() - beyond.mean()) / beyond.std())


def _conditions(values: np.ndarray, slope: float | None) -> sparse.csr_array:
    """Return rows whose product with (y, m, s) is above 0 where the conditions hold."""
    identity = np.eye(NODES**2)
    darker, brighter = (bound(values[:, None], values).reshape(-1, 1) for bound in (np.minimum, np.maximum))
    rows = [np.hstack([identity, _SLACK - darker]), np.hstack([-identity, brighter + _SLACK])]
    if slope is not None:
        grid = identity.reshape(NODES, NODES, -1)
        steps = np.concatenate([np.diff(grid, axis=axis).reshape(-1, NODES**2) for axis in (0, 1)])
        rows.append(np.hstack([steps, np.full((len(steps), 1), -slope * values[1])]))
    return sparse.csr_array(np.insert(np.vstack(rows), NODES**2, 0, axis=1))


def _minimise(
    quadratic: np.ndarray, conditions: sparse.csr_array, equality: np.ndarray, start: np.ndarray
) -> np.ndarray:
    """Minimise x'Px/2 with conditions x > 0 and equality x = 1, from a start that meets them."""
    x, weight = start, conditions.shape[0] / (start @ quadratic @ start)
    while conditions.shape[0] / weight > _GAP * (x @ quadratic @ x) / 2:
        weight *= 3
        for _ in range(200):
            slack = conditions @ x
            gradient = weight * quadratic @ x - conditions.T @ (1 / slack)
            hessian = (
                weight * quadratic + (conditions.T @ sparse.diags_array(slack**-2) @ conditions).toarray()
            )
            ahead, across = np.linalg.solve(hessian, np.stack([-gradient, equality], axis=1)).T
            step = ahead - across * (equality @ ahead) / (equality @ across)
            decrement = step @ hessian @ step
            shrink = (conditions @ step) / slack
            length = min(1.0, 0.9 / max(1e-12, -shrink.min())) if decrement < 1 else 1 / (1 + decrement**0.5)
            x = x + length * step
            if decrement < 1e-6:
                break
    return x


if __name__ == "__main__":
    main()
