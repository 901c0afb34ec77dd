"""A data folder of phantom pairs: enough to try a training or an evaluation where no patient's images are."""

import json
from pathlib import Path

import numpy as np
import torch
from monai.data import MetaTensor

from volfuse.data.phantoms import Contrast, grid_points, head_values
from volfuse.imaging.files import write_image

TASK = "phantom"
_MODALITIES: dict[str, Contrast] = {"mri": "mr", "pet": "pet"}
_LOWEST, _STEP, _HEIGHTS = -30.0, 12.0, 7  # mm: where the head is cut, one slice of every subject


def write_phantom_pairs(
    root: str | Path,
    train: int = 6,
    validation: int = 2,
    test: int = 2,
    shape: tuple[int, int] = (72, 80),
) -> Path:
    """Write MR and PET slices of phantom heads as :mod:`volfuse.data.pairs` reads them, each of another subject.

    Args:
        root: a folder; it is made if it is missing.
        train: pairs of the split ``clean_train`` of the task ``phantom``.
        validation: pairs of ``clean_val``.
        test: pairs of ``test``.
        shape: width and height in pixels; the field of view is 216x240 mm whatever they are.

    Returns:
        ``root``.
    """
    root = Path(root)
    counts = {"clean_train": train, "clean_val": validation, "test": test}
    order = [split for split, count in counts.items() for _ in range(count)]
    splits: dict[str, list[str]] = {"sources": list(_MODALITIES)} | {split: [] for split in counts}
    for subject, split in enumerate(order):
        name = f"{subject}.png"
        splits[split].append(name)
        points = grid_points((*shape, 1), _slice_grid(shape, _LOWEST + _STEP * (subject % _HEIGHTS)))
        for modality, contrast in _MODALITIES.items():
            folder = root / TASK / ("test" if split == "test" else "train") / modality
            folder.mkdir(parents=True, exist_ok=True)
            values = torch.from_numpy(head_values(points, contrast, subject))[None]
            write_image(MetaTensor((values * 255).round().to(torch.uint8)), folder / name)
    (root / "splits.json").write_text(json.dumps({TASK: splits}, indent=2), encoding="utf-8")
    return root


def _slice_grid(shape: tuple[int, int], height: float) -> np.ndarray:
    """An axial slice seen as a radiologist does: columns go to the left of the patient, rows to the back."""
    spacing = np.divide((216.0, 240.0), shape)
    affine = np.diag([-spacing[0], -spacing[1], 1.0, 1.0])
    affine[:3, 3] = [*(spacing * (np.array(shape) - 1) / 2), height]
    return affine
