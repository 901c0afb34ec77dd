"""Images and numbers of the shared data, which lie next to the checkout; without them the tests are skipped."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    cases: list[dict[str, Any]]

    def values(self, key: str) -> Tensor:
        return torch.tensor([case["values"][key] for case in self.cases], dtype=torch.float64)


@pytest.fixture(scope="session")
def golden(read_json, read_pair, fuse) -> Golden:
    cases = read_json("metrics_golden.json")["cases"]
    pairs = [read_pair(case["task"], case["pair"]) for case in cases]
    fused = [fuse(pair, case["fused"]) for pair, case in zip(pairs, cases, strict=True)]
    return Golden(torch.cat(fused), torch.cat(pairs), cases)


@pytest.fixture(scope="session")
def read_json() -> Callable[[str], Any]:
    def read(name: str) -> Any:
        path = SHARED_DATA / name
        if not path.exists():
            pytest.skip(f"needs {name} of the shared data next to the checkout")
        return json.loads(path.read_text(encoding="utf-8"))

    return read


@pytest.fixture(scope="session")
def read_pair(read_json) -> Callable[[str, str], Tensor]:
    """(1, 2, 256, 256) in 0..1: luminance of the MR image and of the other source, rounded to 8 bits."""

    def read(task: str, name: str) -> Tensor:
        folders = read_json("pairs/splits.json")[task]["sources"]
        paths = [SHARED_DATA / "pairs" / task / "test" / folder / name for folder in folders]
        luminance = [np.round(np.asarray(Image.open(path).convert("RGB")) @ LUMINANCE) for path in paths]
        return torch.from_numpy(np.stack(luminance))[None].float() / 255

    return read


@pytest.fixture(scope="session")
def fuse() -> Callable[[Tensor, str], Tensor]:
    def apply(pair: Tensor, rule: str) -> Tensor:
        if rule == "maximum":
            return pair.amax(dim=1, keepdim=True)
        # The averages behind the golden values went through bfloat16; any other rounding misses EN by 1 to 5 %.
        return (255 * pair.mean(dim=1, keepdim=True).bfloat16().float()).round() / 255

    return apply
