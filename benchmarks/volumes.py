"""How fused volumes hold up where image pairs say nothing: between slices, between planes, and at a tumour.

    python benchmarks/volumes.py --data VOLUMES --models unionnet lightfusionnet maximum laplacian -o results

VOLUMES holds ``registered_t1_t1c_t2_flair/{t1n,t2w}.nii.gz`` and ``flair_t1c_tumour/PATIENT/{flair,t1c,tumour,
brainmask}.nii.gz``. Written are ``volumes.csv`` and ``tumours.csv``.
"""

import argparse
import csv
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from monai.transforms import LoadImage, Orientation
from skimage.metrics import peak_signal_noise_ratio
from torch import Tensor

from volfuse.fusion.options import FusionOptions
from volfuse.fusion.pipeline import FusionPipeline
from volfuse.fusion.slabs import FusedCase
from volfuse.imaging import PLANES
from volfuse.metrics import METRICS

QUALITY = ("qabf", "scd", "mef_ssim", "nabf", "vif", "ssim")
VOLUME_COLUMNS = ("model", *QUALITY, "change by voxel", "change by volume", "planes dB")
TUMOUR_COLUMNS = (
    *("model", "patient", *QUALITY),
    *("contrast FLAIR", "contrast T1c", "contrast fused", "contrast kept"),
)
SLICES_MEASURED = 24


def main() -> None:
    """Write one CSV per question, a row per model (and patient)."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=("unionnet", "maximum", "laplacian", "guided_filter"))
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the CSVs")
    arguments = parser.parse_args()
    t1_t2 = [arguments.data / "registered_t1_t1c_t2_flair" / f"{name}.nii.gz" for name in ("t1n", "t2w")]
    patients = sorted((arguments.data / "flair_t1c_tumour").iterdir())
    flair_t1c = [[patient / "flair.nii.gz", patient / "t1c.nii.gz"] for patient in patients]

    rows: dict[str, list[Sequence[str]]] = {"volumes": [VOLUME_COLUMNS], "tumours": [TUMOUR_COLUMNS]}
    for model in arguments.models:
        pipeline = FusionPipeline(model)
        planes = {plane: pipeline.fuse_case(t1_t2, FusionOptions(plane=plane)) for plane in PLANES}
        axial = planes["axial"]
        agreement = plane_agreement([case.image for case in planes.values()])
        changes = [f"{change:.2f}" for change in slice_changes(axial)]
        rows["volumes"].append([model, *quality(axial), *changes, f"{agreement:.1f}"])
        for patient, sources in zip(patients, flair_t1c, strict=True):
            case = pipeline.fuse_case(sources)
            label, brain = (axial_mask(patient / f"{name}.nii.gz") for name in ("tumour", "brainmask"))
            values = [contrast(volume, label, brain) for volume in (*case.sources, case.fused[0])]
            shares = [f"{value:.2f}" for value in (*values, values[-1] / max(values[:-1]))]
            rows["tumours"].append([model, patient.name, *quality(case), *shares])

    arguments.output.mkdir(parents=True, exist_ok=True)
    for name, lines in rows.items():
        with (arguments.output / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(lines)


def quality(case: FusedCase) -> list[str]:
    """Metrics averaged over evenly spaced axial slices that show something."""
    sources, fused = (volume.as_tensor().permute(3, 0, 1, 2) for volume in (case.sources, case.fused))
    shown = torch.nonzero((sources.amax(dim=1) > 0.05).float().mean(dim=(1, 2)) > 0.1).flatten()
    chosen = shown[torch.linspace(0, len(shown) - 1, SLICES_MEASURED).long()]
    return [f"{METRICS[name](fused[chosen], sources[chosen]).mean().item():.4f}" for name in QUALITY]


def slice_changes(case: FusedCase) -> tuple[float, float]:
    """Mean absolute difference of neighbouring fused slices, as a share of the sources'.

    First as a share of the larger change of the sources at each voxel (the maximum of the sources can never exceed 1),
    then as a share of the source that changes more on average: there, changes only in the other one count as flicker.
    """
    change = (case.fused[0, ..., 1:] - case.fused[0, ..., :-1]).abs()
    source_changes = (case.sources[..., 1:] - case.sources[..., :-1]).abs()
    by_volume = source_changes.mean(dim=(1, 2, 3)).max()
    return float(change.mean() / source_changes.amax(dim=0).mean()), float(change.mean() / by_volume)


def plane_agreement(fused: Sequence[Tensor]) -> float:
    """The lowest PSNR in dB between the same volume fused along different planes."""
    volumes = [np.asarray(volume, dtype=np.float64) for volume in fused]
    return min(peak_signal_noise_ratio(a, b, data_range=255) for a, b in combinations(volumes, 2))


def contrast(volume: Tensor, label: Tensor, brain: Tensor) -> float:
    """Difference of the means inside the label and outside it within the brain, in standard deviations outside."""
    inside, outside = volume[label & brain], volume[~label & brain]
    return float((inside.mean() - outside.mean()).abs() / outside.std())


def axial_mask(path: Path) -> Tensor:
    """Where a label map is not 0, (H, W, D) as the axial slices of a fused case lie."""
    labels = LoadImage(ensure_channel_first=True)(path)
    return Orientation(PLANES["axial"], labels=None)(labels).as_tensor()[0] > 0


if __name__ == "__main__":
    main()
