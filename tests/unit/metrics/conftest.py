"""Images and numbers of the shared data, which lie next to the checkout; without them the tests are skipped."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

SHARED_DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
LUMINANCE = np.array([0.299, 0.587, 0.114])  # BT.601


@dataclass(frozen=True)
class Golden:
    """Fused images of average and maximum with the values that independent implementations gave them."""

    fused: Tensor
    sources: Tensor
    cases: list[dict]

    def values(self, key: str) -> Tensor:
        return torch.tensor([case["values"][key] for case in self.cases], dtype=torch.float64)


@pytest.fixture(scope="session")
def golden() -> Golden:
    cases = _read_json("metrics_golden.json")["cases"]
    sources = torch.cat([read_pair(case["task"], case["pair"]) for case in cases])
    rules = [case["fused"] for case in cases]
    fused = [fuse(pair[None], rule) for pair, rule in zip(sources, rules, strict=True)]
    return Golden(torch.cat(fused), sources, cases)


@pytest.fixture(scope="session")
def golden_means() -> dict:
    return _read_json("metrics_golden.json")


def read_pair(task: str, name: str) -> Tensor:
    """(1, 2, 256, 256) in 0..1: luminance of the MR image and of the other source, rounded to 8 bits."""
    folder = SHARED_DATA / "pairs" / task / "test"
    images = [Image.open(folder / source / name).convert("RGB") for source in split(task)["sources"]]
    luminance = np.stack([np.round(np.asarray(image) @ LUMINANCE) for image in images])
    return torch.from_numpy(luminance)[None].float() / 255


def split(task: str) -> dict:
    return _read_json("pairs/splits.json")[task]


def fuse(sources: Tensor, rule: str) -> Tensor:
    if rule == "maximum":
        return sources.amax(dim=1, keepdim=True)
    # The averages behind the golden values went through bfloat16; any other rounding misses EN by 1 to 5 %.
    return (255 * sources.mean(dim=1, keepdim=True).bfloat16().float()).round() / 255


def _read_json(name: str) -> dict:
    path = SHARED_DATA / name
    if not path.exists():
        pytest.skip(f"needs {name} of the shared data next to the checkout")
    return json.loads(path.read_text())
