"""What becomes of the second scan's colour, and of the fused luminance, in the fused picture.

    python benchmarks/colour.py --pairs PAIRS --splits pet_mri:clean_train spect_mri:clean_val demo:hot -o FILE.csv

PAIRS is a folder of image pairs with its ``splits.json``; ``demo:hot`` is the demonstration pair in a colour map. The
ways to put colour back that are compared: those of the option ``color``, and Cb and Cr scaled towards grey at constant
luma.
"""

import argparse
import csv
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

import torch
from monai.data import MetaTensor
from torch import Tensor, nn

from volfuse.data.demo import write_demo_pair
from volfuse.data.pairs import paired_datalist
from volfuse.imaging import (
    ApplyWindowsd,
    LoadSourcesd,
    MatchReferenced,
    OrientSlicesd,
    apply_table,
    color_table,
    luma,
    recolor,
    rgb_to_oklab,
)
from volfuse.imaging.gamut import ROOM, into_gamut
from volfuse.models import find

MODELS = ("unionnet", "lightfusionnet", "laplacian", "maximum")
KEYS = ("source_0", "source_1")
DEMO_STEP = 8  # of the demonstration pair's slices, every eighth is measured
VISIBLE = 0.02  # chroma in OKLab from which a colour has a hue one can name
DARK = 0.05  # fused luminance up to which a pixel looks black in any colour
SAME_HUE = 2.0  # degrees within which a hue counts as one of the colour bar

Networks = dict[str, nn.Module]


def published(luminance: Tensor, color: Tensor) -> Tensor:
    return unclipped(luminance, color).clamp(0, 1)


def towards_grey(luminance: Tensor, color: Tensor) -> Tensor:
    return into_gamut(color - luma(color), luminance)


def gamut(luminance: Tensor, color: Tensor) -> Tensor:
    return recolor(luminance, color, ROOM)


def unclipped(luminance: Tensor, color: Tensor) -> Tensor:
    """Put Cb and Cr of ``color`` on another luma: in RGB, to add the difference of the lumas to each channel."""
    return luminance + color - luma(color)


WAYS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "published": published,
    "towards grey": towards_grey,
    "luminance": recolor,
    "gamut": gamut,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--splits", nargs="+", required=True, help="TASK:SPLIT")
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    networks = {name: find(name).load_network(torch.device("cpu")) for name in arguments.models}
    rows = []
    for entry in arguments.splits:
        task, split = entry.split(":")
        slices = demo_slices(split) if task == "demo" else pair_slices(arguments.pairs, task, split)
        rows += measure({"task": task, "split": split}, list(slices), networks)
    write(rows, arguments.output)


def write(rows: Sequence[dict[str, str]], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read(sources: Sequence[str], windows: str | Sequence[str]) -> list[MetaTensor]:
    """Read two files through their windows, onto one grid; returns (1 or 3, H, W, D) each, values 0..1."""
    case = dict(zip(KEYS, sources, strict=True))
    for step in (
        LoadSourcesd(KEYS),
        OrientSlicesd(KEYS, "axial"),
        ApplyWindowsd(KEYS, windows),
        MatchReferenced(KEYS),
    ):
        case = step(case)
    return [case[key].clamp(0, 1) for key in KEYS]


@cache
def read_demo() -> list[MetaTensor]:
    with tempfile.TemporaryDirectory() as folder:
        return read([str(path) for path in write_demo_pair(Path(folder))], ("mr", "pet"))


def demo_slice(index: int, colormap: str) -> tuple[Tensor, Tensor]:
    """Return the T1 (1, H, W, 1) and the PET in its colours (3, H, W, 1)."""
    mr, pet = (volume.as_tensor()[..., index, None] for volume in read_demo())
    return mr, apply_table(pet[0], color_table(colormap))


def demo_slices(colormap: str) -> Iterator[tuple[Tensor, Tensor]]:
    shown = (read_demo()[0].as_tensor()[0].flatten(0, 1) > 0.2).float().mean(0) > 0.1
    for index in torch.nonzero(shown).flatten()[::DEMO_STEP].tolist():
        yield demo_slice(index, colormap)


def pair_slices(pairs: Path, task: str, split: str) -> Iterator[tuple[Tensor, Tensor]]:
    for item in paired_datalist(pairs, task, split):
        mr, color = read([item[key] for key in KEYS], "auto")
        yield mr.as_tensor(), color.as_tensor()


@torch.no_grad()
def fuse(network: nn.Module, mr: Tensor, color: Tensor) -> Tensor:
    """Return the luminance (H, W, 1) that a file holds: 256 levels in 0..1."""
    sources = torch.stack([mr[0, ..., 0], luma(color)[..., 0]])
    return (network(sources[None])[0, 0, ..., None].clamp(0, 1) * 255).round() / 255


def measure(
    head: dict[str, str], slices: Sequence[tuple[Tensor, Tensor]], networks: Networks
) -> list[dict[str, str]]:
    """Return a row for each model and way; every number is the mean over the slices."""
    bar = hues_of([color for _, color in slices])
    rows = []
    for model, network in networks.items():
        values: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for mr, color in slices:
            fused = fuse(network, mr, color)
            colored = (chroma_and_hue(color)[0] > VISIBLE) & (fused > DARK)
            if not colored.any():
                continue
            for way, restore in WAYS.items():
                rgb = (restore(fused, color) * 255).round() / 255
                values[way].append(compare(fused[colored], color[:, colored], rgb[:, colored], bar))
        for way, each in values.items():
            means = {name: sum(one[name] for one in each) / len(each) for name in each[0]}
            whose = head | {"slices": str(len(each)), "model": model, "way": way}
            rows.append(whose | {name: f"{value:.4f}" for name, value in means.items()})
    return rows


def compare(fused: Tensor, color: Tensor, rgb: Tensor, bar: Tensor) -> dict[str, float]:
    """Compare a fused picture with its luminance and with the second scan's colour, where that has a colour.

    Args:
        fused: luminance (P), 0..1.
        color: the second scan (3, P), 0..1.
        rgb: the fused picture (3, P), 0..1.
        bar: hues of the colour bar, sorted, degrees.
    """
    raw = unclipped(fused, color)
    error = (luma(rgb) - fused).abs() * 255
    (chroma, hue), (new_chroma, new_hue) = chroma_and_hue(color), chroma_and_hue(rgb)
    visible = new_chroma > VISIBLE
    change = turn(hue, new_hue)[visible]
    return {
        "out_of_gamut": mean((raw.amin(0) < -0.5 / 255) | (raw.amax(0) > 1 + 0.5 / 255)),
        "luma_error_levels": mean(error),
        "luma_error_p95_levels": percentile(error, 0.95),
        "hue_change_deg": mean(change),
        "hue_change_p95_deg": percentile(change, 0.95),
        "hue_not_in_bar": mean(nearest_turn(new_hue[visible], bar) > SAME_HUE),
        "chroma_kept": mean(new_chroma) / mean(chroma),
        "chroma_change": mean((new_chroma - chroma).abs()),
    }


def chroma_and_hue(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Return chroma and hue (-180..180 degrees) in OKLab."""
    _, a, b = rgb_to_oklab(rgb.double())
    return torch.hypot(a, b), torch.rad2deg(torch.atan2(b, a))


def hues_of(colors: Sequence[Tensor]) -> Tensor:
    """Return the hues that occur in the second scans, sorted: those of the colour bar."""
    levels = torch.cat([(color * 255).round().byte().flatten(1) for color in colors], dim=1)
    chroma, hue = chroma_and_hue(levels.unique(dim=1) / 255)
    return hue[chroma > VISIBLE].sort().values


def turn(first: Tensor, second: Tensor) -> Tensor:
    """Return the angle between two hues, degrees."""
    return ((first - second + 180).remainder(360) - 180).abs()


def nearest_turn(hue: Tensor, bar: Tensor) -> Tensor:
    after = torch.searchsorted(bar, hue)
    return torch.minimum(turn(hue, bar[after % len(bar)]), turn(hue, bar[after - 1]))


def mean(values: Tensor) -> float:
    return float(values.double().mean()) if values.numel() else 0.0


def percentile(values: Tensor, share: float) -> float:
    return float(values.double().quantile(share)) if values.numel() else 0.0


if __name__ == "__main__":
    main()
