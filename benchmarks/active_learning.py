"""Does a network learn what a reader wants from 20 blinded comparisons? A simulated reader whose utility is known.

    python benchmarks/active_learning.py --csv research/2026-11-active-learning-gain.csv

Every seed draws a pool of heads, of which a quarter is degraded (noise, blur or faint contrast), and test heads from
the same distribution. The ideal fused image is the brighter of the two undegraded scans at each pixel; the reader's
utility of an image is minus its mean distance to the ideal, and the reader errs as Bradley and Terry say: of images
whose distances differ by 0.01, the worse is preferred in 27 % of the comparisons. The code that learns knows the
answers alone: it is that of the server.

A strategy picks cases from the pool; of each, two models by chance are compared; the network is fine-tuned from its
shipped weights on these cases. Gains are the PSNR (dB) to the ideal on the test heads over that of the shipped
weights, and bands 95 % intervals of the mean over seeds (Student's t). All learners of one seed share pool, test
heads and order of crops.
"""

import argparse
import copy
import csv
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
from volfuse.label.activelearning.finetuning import Choices, FineTuning, TrainingCase, fine_tune
from volfuse.label.activelearning.publishing import own_loss
from volfuse.label.activelearning.scores import appearance, disagreement, quality
from volfuse.label.activelearning.strategies import STRATEGIES, CaseScores
from volfuse.label.activelearning.utility import Answer, chances, describe, learn
from volfuse.models import bundles, find
from volfuse.numerics.windows import gaussian_mean

RULES = ("average", "maximum", "laplacian")
SIZE = 64
CPU = torch.device("cpu")
SHARPNESS = 100.0
"""How much a mean difference of 1 changes the logit of the reader's answer."""
LEARNERS = (
    ("own loss alone", "random", 0),
    ("comparisons", "random", 5),
    ("comparisons", "random", 10),
    ("comparisons", "lowest_quality", 10),
    ("comparisons", "highest_disagreement", 10),
    ("comparisons", "diversity", 10),
    ("comparisons", "random", 20),
)
"""What is learned from, how cases are chosen, how many comparisons."""
CASES_WITHOUT_ANSWERS = 20


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


class Pool:
    """Heads, what models make of them, and what is known of each."""

    @torch.no_grad()
    def __init__(self, heads: Sequence[Head], models: dict[str, nn.Module]) -> None:
        self.heads = {f"{number:03d}": head for number, head in enumerate(heads)}
        self.images = {
            name: {model: network(head.sources).clamp(0, 1) for model, network in models.items()}
            for name, head in self.heads.items()
        }
        self.features = {
            name: {model: describe(image, self.heads[name].sources) for model, image in made.items()}
            for name, made in self.images.items()
        }
        self.scores = {name: self._score(name) for name in self.heads}

    def ask(self, name: str, chance: random.Random) -> Answer:
        """Let the reader compare two images of one head."""
        first, second = chance.sample(sorted(self.images[name]), 2)
        ideal = self.heads[name].ideal
        near, far = ((self.images[name][model] - ideal).abs().mean().item() for model in (first, second))
        is_first = chance.random() < 1 / (1 + math.exp(SHARPNESS * (near - far)))
        return Answer(name, first, second, float(is_first))

    def case(self, name: str, weights: Tensor) -> TrainingCase:
        known = chances(weights, self.features[name])
        images = torch.cat(list(self.images[name].values()), dim=1)
        return TrainingCase(
            name, self.heads[name].sources, Choices(images, torch.tensor(list(known.values())))
        )

    def _score(self, name: str) -> CaseScores:
        sources, made = self.heads[name].sources, self.images[name]
        qualities = {model: quality(image, sources) for model, image in made.items()}
        return CaseScores(qualities, disagreement(list(made.values())), appearance(sources))


def tune(
    shipped: nn.Module, pool: Pool, strategy: str, count: int, loss: nn.Module, settings: FineTuning
) -> nn.Module:
    """Return the network after so many comparisons; none leave it to its own loss."""
    chance = random.Random(settings.seed)
    picked: list[str] = []
    for _ in range(count or CASES_WITHOUT_ANSWERS):
        still_open = {name: known for name, known in pool.scores.items() if name not in picked}
        seen = [pool.scores[name] for name in picked]
        picked.append(STRATEGIES[strategy](still_open, seen, chance).case)
    weights = learn([pool.ask(name, chance) for name in picked] if count else [], pool.features)
    network = copy.deepcopy(shipped)
    fine_tune(network, loss, [pool.case(name, weights) for name in picked], settings)
    return network


@torch.no_grad()
def measure(network: nn.Module, heads: Sequence[Head]) -> tuple[float, float]:
    """Return PSNR to the ideal and Q^AB/F, means over heads."""
    fused = [network(head.sources).clamp(0, 1) for head in heads]
    errors = [(image - head.ideal).square().mean().item() for image, head in zip(fused, heads, strict=True)]
    qualities = [quality(image, head.sources) for image, head in zip(fused, heads, strict=True)]
    return float(np.mean([-10 * math.log10(error) for error in errors])), float(np.mean(qualities))


def band(samples: np.ndarray) -> float:
    """Return half the width of the 95 % interval of the mean."""
    return float(stats.t.ppf(0.975, len(samples) - 1) * samples.std(ddof=1) / math.sqrt(len(samples)))


def run(seed: int, options: argparse.Namespace) -> np.ndarray:
    """Return gains of PSNR and of Q^AB/F of every learner, (learners, 2)."""
    bundle = bundles()[options.model]
    shipped, loss = bundle.load_network(CPU), own_loss(bundle)
    chance = np.random.default_rng(seed)
    models = {name: find(name).load_network(CPU) for name in RULES} | {"shipped": shipped}
    pool, test = Pool(draw_heads(chance, options.pool), models), draw_heads(chance, options.test)
    settings = FineTuning(steps=options.steps, learning_rate=options.learning_rate, crop_size=48, seed=seed)
    before = np.array(measure(shipped, test))
    gains = [
        np.array(measure(tune(shipped, pool, strategy, count, loss, settings), test)) - before
        for _, strategy, count in LEARNERS
    ]
    print(f"seed {seed}: " + ", ".join(f"{gain[0]:+.2f}" for gain in gains) + " dB", flush=True)
    return np.stack(gains)


def rows(gains: np.ndarray) -> list[dict[str, object]]:
    """Return a row per learner of (seeds, learners, 2)."""
    table = []
    own = gains[:, 0, 0]
    for number, (learner, strategy, count) in enumerate(LEARNERS):
        psnr, edges = gains[:, number, 0], gains[:, number, 1]
        table.append(
            {
                "learns_from": learner,
                "strategy": strategy,
                "comparisons": count,
                "gain": f"{psnr.mean():.2f}",
                "band": f"{band(psnr):.2f}",
                "over_own_loss": f"{(psnr - own).mean():.2f}",
                "over_own_loss_band": f"{band(psnr - own):.2f}",
                "qabf_gain": f"{edges.mean():.3f}",
                "qabf_band": f"{band(edges):.3f}",
            }
        )
    return table


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="lightfusionnet")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--pool", type=int, default=24)
    parser.add_argument("--test", type=int, default=16)
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--csv", type=Path, help="where the table goes")
    options = parser.parse_args()
    torch.set_num_threads(1)
    table = rows(np.stack([run(seed, options) for seed in range(options.seeds)]))
    for row in table:
        print(*row.values(), sep="\t")
    if options.csv:
        with options.csv.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, table[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(table)


if __name__ == "__main__":
    main()
