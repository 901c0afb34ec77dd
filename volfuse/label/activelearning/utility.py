"""What readers want, learned from what they said: the worth of fused images.

A reader prefers image A to image B with a probability that depends on the difference of their utilities alone
(Bradley and Terry 1952, Biometrika 39, 324-345), and chooses one of several with the probabilities that follow from
it (Luce 1959, Individual Choice Behavior). The utility is a weighted sum of a few properties of the image:

.. math:: P(A > B) = \\sigma(u_A - u_B), \\quad P(A) = \\frac{e^{u_A}}{\\sum_i e^{u_i}},
          \\quad u_F = w \\cdot \\phi(F, S)

The weights are those that make the answers most likely, under a normal prior that keeps few answers from meaning
much. An acceptance or a rejection is an answer too: the image is compared with what models usually make of the case.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from volfuse.metrics import METRICS

_METRICS = ("qabf", "nabf", "ssim_first", "ssim_second")
FEATURES = (*_METRICS, "brightness", "contrast")
"""The properties: edges kept, edges made, likeness to each source, mean and standard deviation of the image."""
_SMALLEST_SCALE = 0.01
_SMALLEST_SIDE = 11
_NEWTON_STEPS = 20


@dataclass(frozen=True)
class Answer:
    """What a reader said.

    Attributes:
        case: of which case.
        model: whose image is judged.
        other: whose image it is compared with; ``None`` for an acceptance or a rejection.
        share: how much it speaks for ``model``: 1 that it is better, or accepted; 0 that it is not; 0.5 that it is
            neither.
    """

    case: str
    model: str
    other: str | None
    share: float


@torch.no_grad()
def describe(fused: Tensor, sources: Tensor) -> Tensor:
    """Return :data:`FEATURES` of a case, (K,), the mean over its slices.

    Args:
        fused: (B, 1, H, W), values 0..1.
        sources: (B, 2, H, W), values 0..1.
    """
    height, width = fused.shape[-2:]
    missing = (0, max(0, _SMALLEST_SIDE - width), 0, max(0, _SMALLEST_SIDE - height))
    fused, sources = (F.pad(images, missing, mode="replicate") for images in (fused, sources))
    metrics = [METRICS[name](fused, sources).to(fused) for name in _METRICS]
    table = torch.stack([*metrics, fused.mean((1, 2, 3)), fused.std((1, 2, 3))], dim=1)
    return table.nan_to_num().mean(0).cpu()  # an empty slice has no value of some metrics


def learn(answers: Sequence[Answer], features: Mapping[str, Mapping[str, Tensor]]) -> Tensor:
    """Return the most likely weights of :data:`FEATURES`, (K,).

    Args:
        answers: what readers said; no answers give weights of 0.
        features: case -> model -> its features, (K,). All of them are what models usually make of the case.
    """
    count = len(FEATURES)
    if not answers:
        return torch.zeros(count)
    rows = []
    for answer in answers:
        known = features[answer.case]
        usual = torch.stack(list(known.values())).mean(0)
        difference = known[answer.model] - (usual if answer.other is None else known[answer.other])
        # The last column is how readily images are accepted; it means nothing where two are compared.
        rows.append(torch.cat([difference, torch.tensor([float(answer.other is None)])]))
    table = torch.stack(rows).double()
    shares = torch.tensor([answer.share for answer in answers], dtype=torch.float64)
    # Properties differ in size; their own spread makes one prior fit all.
    scale = table.square().mean(0).sqrt().clamp_min(_SMALLEST_SCALE)
    return (_most_likely(table / scale, shares) / scale)[:count].float()


def chances(weights: Tensor, features: Mapping[str, Tensor]) -> dict[str, float]:
    """Return with which probability readers choose each of several images of one case.

    Args:
        weights: see :func:`learn`.
        features: of each image, (K,).
    """
    utilities = torch.stack([known @ weights for known in features.values()])
    return dict(zip(features, utilities.softmax(0).tolist(), strict=True))


def _most_likely(table: Tensor, shares: Tensor) -> Tensor:
    """Return the maximum a posteriori weights of a logistic regression, by Newton's method."""
    weights = table.new_zeros(table.shape[1])
    # Before any answer, the utilities of two usual images differ by about 1.
    prior = len(weights) * torch.eye(len(weights), dtype=table.dtype)
    for _ in range(_NEWTON_STEPS):
        chance = torch.sigmoid(table @ weights)
        slope = table.T @ (chance - shares) + prior @ weights
        bend = (table.T * (chance * (1 - chance))) @ table + prior
        weights = weights - torch.linalg.solve(bend, slope)
    return weights
