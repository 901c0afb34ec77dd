"""Fusions of simulated focal stacks, measured against the sharp image that the stacks were made from."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from monai.metrics import PSNRMetric
from torch import Tensor

from volfuse.classical import CLASSICAL
from volfuse.models import FusionNetwork
from volfuse.numerics.ssim import ssim
from volfuse.storage import write_whole

METRICS: Mapping[str, Callable[[Tensor, Tensor], Any]] = {"PSNR": PSNRMetric(1.0), "SSIM": ssim}
BEST_PLANE = "best single plane"
_COLUMNS = ("image", "model", *METRICS)


def measure(models: Mapping[str, FusionNetwork], stacks: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Fuse every stack by every model and by every classical rule.

    Args:
        models: by name, ``model(sources (1, N, H, W)) -> (1, 1, H, W)``.
        stacks: with ``name``, ``image`` (N, H, W) and ``truth`` (1, H, W), values 0..1.

    Returns:
        One row per stack and model: ``image``, ``model``, ``PSNR`` in dB and ``SSIM`` (Gaussian window of 11).
        The rows "best single plane" are of the plane of the best PSNR, which only the truth can tell.
    """
    networks: dict[str, FusionNetwork] = {**models, **{name: rule() for name, rule in CLASSICAL.items()}}
    rows = []
    for stack in stacks:
        planes, truth = stack["image"][None], stack["truth"][None]
        with torch.inference_mode():
            images = {name: fuse(planes) for name, fuse in networks.items()}
        images[BEST_PLANE] = max(planes.split(1, dim=1), key=lambda plane: _value("PSNR", plane, truth))
        for name, image in images.items():
            values = {metric: _value(metric, image.to(truth), truth) for metric in METRICS}
            rows.append({"image": stack["name"], "model": name, **values})
    return rows


def write_report(rows: Iterable[Mapping[str, Any]], folder: str | Path) -> str:
    """Write the rows to ``focal_stacks.csv`` in a folder, which is made if it is missing.

    Returns:
        A Markdown table of the means, best PSNR first.

    Raises:
        FusionError: if the folder cannot be written to.
    """
    rows = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(Path(folder) / "focal_stacks.csv", text.getvalue())
    means = {
        model: [fmean(row[metric] for row in rows if row["model"] == model) for metric in METRICS]
        for model in dict.fromkeys(row["model"] for row in rows)
    }
    lines = [
        f"| {model} | {psnr:.2f} | {similarity:.4f} |"
        for model, (psnr, similarity) in sorted(means.items(), key=lambda item: -item[1][0])
    ]
    return "\n".join(["| model | PSNR / dB | SSIM |", "|---|---|---|", *lines])


def _value(metric: str, image: Tensor, truth: Tensor) -> float:
    return float(METRICS[metric](image, truth))
