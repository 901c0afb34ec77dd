"""The lesions of the demonstration pair in colour, and a picture of them.

    python benchmarks/colour_demo.py lesions -o FILE.csv
    python benchmarks/colour_demo.py draw --models unionnet maximum -o docs/concepts/colour.png

``lesions`` says how far each lesion stands out from the tissue around it in the second scan, in the fused luminance
alone, and in the fused picture for each way that ``colour.py`` compares.
"""

import argparse
import math
from itertools import product
from pathlib import Path

import torch
from colour import WAYS, Networks, demo_slice, fuse, read_demo, write
from matplotlib.figure import Figure

from volfuse.data.demo import LESIONS
from volfuse.imaging import rgb_to_oklab
from volfuse.models import find

MODELS = ("unionnet", "lightfusionnet", "laplacian", "maximum")
COLORMAPS = ("hot", "afmhot")
DRAWN_COLORMAP = "hot"
SLICE = 94  # both lesions are in it
RING = (4, 9)  # around a lesion, what it is compared with: from and to, in mm


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("lesions", "draw"))
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    networks = {name: find(name).load_network(torch.device("cpu")) for name in arguments.models}
    if arguments.what == "draw":
        draw(networks, arguments.output)
    else:
        write(lesions(networks), arguments.output)


def lesions(networks: Networks) -> list[dict[str, str]]:
    """Return how far each lesion of the demonstration pair stands out in OKLab: lightness, and a and b."""
    rows = []
    to_voxel = torch.linalg.inv(read_demo()[0].affine.double())
    for name, colormap in product(LESIONS, COLORMAPS):
        center, radius, _ = LESIONS[name]
        row, column, index = (to_voxel @ torch.tensor([*center, 1.0]).double())[:3].round().int().tolist()
        mr, color = demo_slice(index, colormap)
        rows_away, columns_away = torch.arange(mr.shape[1]) - row, torch.arange(mr.shape[2]) - column
        distance = torch.hypot(rows_away[:, None].float(), columns_away[None].float())  # voxels of 1 mm
        inside = distance <= radius
        ring = (distance > radius + RING[0]) & (distance <= radius + RING[1])
        for model, network in networks.items():
            fused = fuse(network, mr, color)
            pictures = {"second scan": color, "luminance alone": fused.expand_as(color)}
            pictures |= {way: restore(fused, color) for way, restore in WAYS.items()}
            for way, rgb in pictures.items():
                lab = rgb_to_oklab(rgb.double())[..., 0]
                lightness, a, b = (lab[:, inside].mean(1) - lab[:, ring].mean(1)).tolist()
                whose = {"lesion": name, "colormap": colormap, "model": model, "way": way}
                rows.append(whose | {"lightness": f"{lightness:.4f}", "ab": f"{math.hypot(a, b):.4f}"})
    return rows


def draw(networks: Networks, path: Path) -> None:
    """Draw a slice of the demonstration pair: T1, PET, and the fused picture in each way of the option ``color``."""
    mr, color = demo_slice(SLICE, DRAWN_COLORMAP)
    figure = Figure(figsize=(12, 2.5 * len(networks)), facecolor="black")
    rows = figure.subplots(len(networks), 5, squeeze=False)
    for row, (model, network) in zip(rows, networks.items(), strict=True):
        fused = fuse(network, mr, color)
        pictures = {"T1": mr.expand_as(color), f"simulated PET, {DRAWN_COLORMAP}": color}
        pictures |= {
            f"{model}, {way}": WAYS[way](fused, color) for way in ("published", "luminance", "gamut")
        }
        for axes, (title, picture) in zip(row, pictures.items(), strict=True):
            axes.imshow(picture[:, 25:-20, 20:-20, 0].movedim(0, -1).numpy(), interpolation="nearest")
            axes.set_title(title, color="white", fontsize=9)
            axes.axis("off")
    figure.tight_layout(pad=0.3)
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main()
