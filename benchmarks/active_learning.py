"""Does choosing cases by score beat chance? A simulated reader, phantoms with a known ideal, learning curves.

    python benchmarks/active_learning.py --seeds 8 --rounds 3 --steps 25 --plot active_learning.png

Every seed draws a pool of heads, of which a quarter is degraded (noise, blur or faint contrast), and test heads from
the same distribution. The ideal fused image is the brighter of the two undegraded scans at each pixel. A strategy
picks cases from the pool; the reader prefers, of three simple rules, the one nearest to the ideal; the network is
fine-tuned from its shipped weights on all cases picked so far, with its own loss and the distance to the preferred
images.
The curve is the PSNR (dB) to the ideal on the test heads, minus that of the shipped weights. Bands are 95 % intervals
of the mean over seeds (Student's t). All strategies of one seed share pool, test heads and order of crops.
"""

import argparse
import copy
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn

from volfuse.data.phantoms import head_phantom
from volfuse.label.activelearning.finetuning import FineTuning, TrainingCase, fine_tune
from volfuse.label.activelearning.publishing import own_loss
from volfuse.label.activelearning.scores import appearance, disagreement, quality
from volfuse.label.activelearning.strategies import STRATEGIES, CaseScores
from volfuse.models import Bundle, bundles, find
from volfuse.numerics.windows import gaussian_mean

RULES = ("average", "maximum", "laplacian")
SIZE = 64
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Head:
    """A simulated case: what the scanners gave, (2, 2, H, W), and what should come out, (2, 1, H, W)."""

    sources: Tensor
    ideal: Tensor


def draw_head(chance: np.random.Generator, degraded: bool) -> Head:
    spacing, angle = chance.uniform(2.6, 3.6), chance.uniform(-0.4, 0.4)
    affine = np.eye(4)
    affine[:2, :2] = spacing * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    affine[2, 2] = chance.uniform(8, 20)
    affine[:3, 3] = -affine[:3, :3] @ np.array([SIZE / 2, SIZE / 2, 0.5]) + chance.normal(0, 8, 3)
    scans = [head_phantom((SIZE, SIZE, 2), affine, contrast) for contrast in ("mr", "pet")]
    clean = torch.from_numpy(np.stack(scans)).movedim(-1, 0)
    return Head(_degrade(clean, chance) if degraded else clean, clean.amax(1, keepdim=True))


def _degrade(clean: Tensor, chance: np.random.Generator) -> Tensor:
    hurt, kind = chance.integers(2), chance.integers(3)
    worse = clean.clone()
    scan = worse[:, hurt : hurt + 1]
    if kind == 0:
        scan += torch.from_numpy(chance.normal(0, 0.2, scan.shape)).float()
    elif kind == 1:
        scan[:] = gaussian_mean(scan, 3.0, 9)
    else:
        scan *= 0.3
    return worse.clamp(0, 1)


def draw_heads(chance: np.random.Generator, number: int) -> list[Head]:
    return [draw_head(chance, degraded=index % 4 == 0) for index in range(number)]


@torch.no_grad()
def psnr(network: nn.Module, heads: Sequence[Head]) -> float:
    errors = [(network(head.sources).clamp(0, 1) - head.ideal).square().mean().item() for head in heads]
    return float(np.mean([-10 * math.log10(error) for error in errors]))


@torch.no_grad()
def preferred(head: Head, rules: dict[str, nn.Module]) -> Tensor:
    """Return what a reader who knows the ideal would choose."""
    return min(
        (rule(head.sources) for rule in rules.values()),
        key=lambda fused: (fused - head.ideal).abs().mean().item(),
    )


@torch.no_grad()
def score(head: Head, models: dict[str, nn.Module]) -> CaseScores:
    fused = {name: model(head.sources).clamp(0, 1) for name, model in models.items()}
    return CaseScores(
        {name: quality(image, head.sources) for name, image in fused.items()},
        disagreement(list(fused.values())),
        appearance(head.sources),
    )


def curve(
    strategy: str, pool: list[Head], test: list[Head], seed: int, bundle: Bundle, options: argparse.Namespace
) -> list[float]:
    """Return the PSNR on the test heads after every round; the first value is that of the shipped weights."""
    shipped = bundle.load_network(CPU)
    loss = own_loss(bundle)
    rules = {name: find(name).load_network(CPU) for name in RULES}
    scores = {f"{number:03d}": score(head, rules | {"shipped": shipped}) for number, head in enumerate(pool)}
    chance = random.Random(seed)
    picked: list[str] = []
    values = [psnr(shipped, test)]
    for _ in range(options.rounds):
        for _ in range(options.per_round):
            still_open = {name: known for name, known in scores.items() if name not in picked}
            seen = [scores[name] for name in picked]
            picked.append(STRATEGIES[strategy](still_open, seen, chance).case)
        heads = [pool[int(name)] for name in picked]
        cases = [TrainingCase("", head.sources, preferred(head, rules)) for head in heads]
        network = copy.deepcopy(shipped)
        settings = FineTuning(
            steps=options.steps,
            learning_rate=options.learning_rate,
            preference_weight=options.preference_weight,
            crop_size=48,
            seed=seed,
        )
        fine_tune(network, loss, cases, settings)
        values.append(psnr(network, test))
    return values


def band(samples: np.ndarray) -> np.ndarray:
    """Return half the width of the 95 % interval of the mean over the first axis."""
    count = len(samples)
    return stats.t.ppf(0.975, count - 1) * samples.std(0, ddof=1) / math.sqrt(count)


def report(gains: dict[str, np.ndarray], options: argparse.Namespace) -> None:
    reviewed = [options.per_round * number for number in range(options.rounds + 1)]
    print("PSNR gain over the shipped weights (dB), mean and 95 % band; after so many reviewed cases:")
    print(f"{'strategy':<22}" + "".join(f"{count:>16}" for count in reviewed[1:]))
    for name, values in gains.items():
        cells = zip(values.mean(0)[1:], band(values)[1:], strict=True)
        print(f"{name:<22}" + "".join(f"{mean:>8.3f} ±{half:>5.3f}  " for mean, half in cells))
    print("\nDifference from random, seed by seed; * where the band leaves out 0:")
    for name, values in gains.items():
        if name != "random":
            difference = values - gains["random"]
            cells = list(zip(difference.mean(0)[1:], band(difference)[1:], strict=True))
            marks = ["*" if abs(mean) > half else " " for mean, half in cells]
            texts = [
                f"{mean:>8.3f} ±{half:>5.3f}{mark} " for (mean, half), mark in zip(cells, marks, strict=True)
            ]
            print(f"{name:<22}" + "".join(texts))


def plot(gains: dict[str, np.ndarray], options: argparse.Namespace) -> None:
    import matplotlib.pyplot as plt

    reviewed = [options.per_round * number for number in range(options.rounds + 1)]
    _, axes = plt.subplots(figsize=(6, 4))
    for name, values in gains.items():
        mean, half = values.mean(0), band(values)
        axes.plot(reviewed, mean, label=name.replace("_", " "))
        axes.fill_between(reviewed, mean - half, mean + half, alpha=0.15)
    axes.set(xlabel="reviewed cases", ylabel="PSNR gain (dB)")
    axes.legend()
    plt.savefig(options.plot, dpi=120, bbox_inches="tight")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="lightfusionnet")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--pool", type=int, default=24)
    parser.add_argument("--test", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--per-round", type=int, default=2)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--preference-weight", type=float, default=1.0)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    bundle = bundles()[options.model]
    curves: dict[str, list[list[float]]] = {name: [] for name in STRATEGIES}
    for seed in range(options.seeds):
        chance = np.random.default_rng(seed)
        pool, test = draw_heads(chance, options.pool), draw_heads(chance, options.test)
        for name in STRATEGIES:
            curves[name].append(curve(name, pool, test, seed, bundle, options))
            print(f"seed {seed}, {name}: {curves[name][-1][-1] - curves[name][-1][0]:+.3f} dB", flush=True)
    gains = {name: np.array(values) - np.array(values)[:, :1] for name, values in curves.items()}
    report(gains, options)
    if options.plot:
        plot(gains, options)


if __name__ == "__main__":
    main()
