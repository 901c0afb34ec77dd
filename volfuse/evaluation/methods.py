"""A model in memory with the steps around it, for running many models over the same pair."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from monai.data import MetaTensor
from monai.transforms import Compose
from torch import Tensor

from volfuse.evaluation.selection import Pair
from volfuse.fusion.pipeline import FusionOptions, plain_errors
from volfuse.imaging import RestoreColord, SplitLuminanced
from volfuse.models import Model

Case = dict[str, MetaTensor]


@dataclass(frozen=True)
class Steps:
    """What a model's ``inference.json`` does around its network.

    Attributes:
        keys: what the sources are called in a case.
        preprocessing: from files to luminance ``image`` (N, H, W, D) and, with a coloured source, ``color``.
        inferer: ``inferer(image (1, N, H, W, D), network)`` -> (1, 1, H, W, D).
        signature: equal for models that prepare a pair alike.
    """

    keys: tuple[str, ...]
    preprocessing: Compose
    inferer: Callable[..., Tensor]
    signature: str

    def prepare(self, pair: Pair) -> Case:
        """Read and preprocess a pair.

        Raises:
            FusionError: if an image is unfit for fusion.
        """
        return self._run(self.preprocessing, pair)

    def windowed_sources(self, pair: Pair) -> list[Tensor]:
        """Return the sources as they are shown: each (1 or 3, H, W, D), values 0..1, in their colours."""
        shown = [step for step in self.preprocessing.transforms if not isinstance(step, SplitLuminanced)]
        case = self._run(Compose(shown), pair)
        return [case[key].as_tensor().clamp(0, 1) for key in self.keys]

    def _run(self, transforms: Compose, pair: Pair) -> Case:
        with plain_errors():
            return transforms(dict(zip(self.keys, pair.sources, strict=True)))


class Method:
    """A model that is ready to fuse.

    Args:
        model: an entry of the catalogue.
        device: where its network runs.

    Raises:
        FusionError: if its weights are missing or damaged.
    """

    def __init__(self, model: Model, device: torch.device) -> None:
        self.name = model.name
        self.num_sources = model.num_sources
        self.version = model.version
        self.network = model.load_network(device)
        self.weights = (model.weights_hash() or "")[:12]
        self._model = model
        self._device = device
        self.steps = cache(self._steps)

    def takes(self, num_sources: int) -> bool:
        """Tell whether the model fuses this many images."""
        return self.num_sources in (None, num_sources)

    def fuse(self, case: Case, num_sources: int) -> Tensor:
        """Return the fused luminance (1, H, W, D) as a file holds it: 256 levels in 0..1.

        Raises:
            FusionError: if the network returns values that are not finite.
        """
        fused = self.steps(num_sources).inferer(case["image"][None].as_tensor(), self.network)[0]
        return (fused * 255).round() / 255

    def fuse_in_color(self, case: Case, num_sources: int) -> Tensor:
        """Return the fused image (1 or 3, H, W, D), uint8, with the colour of the sources put back."""
        colored: dict[str, Any] = {"pred": MetaTensor(self.fuse(case, num_sources))}
        if "color" in case:
            colored["color"] = case["color"]
        return RestoreColord("pred")(colored)["pred"].as_tensor()

    def _steps(self, num_sources: int) -> Steps:
        keys = tuple(f"source_{number}" for number in range(num_sources))
        values = FusionOptions().config_values(num_sources)
        parser = self._model.parser(sources=list(keys), device=self._device, **values)
        signature = json.dumps(parser.config["preprocessing"])
        return Steps(
            keys,
            parser.get_parsed_content("preprocessing"),
            parser.get_parsed_content("inferer"),
            signature,
        )
