"""What a fusion process is asked to do, as ``volfuse.jobs.FusionRequest`` reads it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from SlicerFusionLib.source import Source

RESULT_NAME = "fused.nrrd"


def fusion_request(
    sources: Sequence[Source],
    folder: Path,
    model: str,
    *,
    plane: str = "axial",
    batch_size: int | None = None,
    mixed_precision: bool = True,
    device: str = "auto",
    contributions: bool = False,
) -> dict[str, Any]:
    """Return one request, in words and numbers alone; the result will be ``folder / RESULT_NAME``.

    Args:
        sources: what to fuse, the reference first.
        folder: where the result may be written.
        model: a name in the catalogue of ``volfuse``.
        plane: the slices that are fused: ``"axial"``, ``"coronal"`` or ``"sagittal"``.
        batch_size: slices at a time; ``None`` lets the device decide.
        mixed_precision: let a network compute in bfloat16 on a graphics card.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ...
        contributions: write also what each source adds, which not every model can tell.
    """
    return {
        "sources": [str(source.file) for source in sources],
        "output": str(folder / RESULT_NAME),
        "model": model,
        "windows": [source.window for source in sources],
        "colormaps": [None if source.table is None else source.table.tolist() for source in sources],
        "plane": plane,
        "batch_size": batch_size,
        "mixed_precision": mixed_precision,
        "device": device,
        "contributions": contributions,
    }
