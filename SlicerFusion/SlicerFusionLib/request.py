"""What a fusion process is asked to do."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from SlicerFusionLib.source import Source
from volfuse.fusion.options import FusionOptions
from volfuse.jobs import FusionRequest

RESULT_NAME = "fused.nrrd"


def fusion_request(
    sources: Sequence[Source],
    folder: Path,
    model: str,
    options: Mapping[str, Any],
    device: str = "auto",
    metrics: Sequence[str] = (),
) -> FusionRequest:
    """Return one request; the result will be ``folder / RESULT_NAME``.

    Args:
        sources: what to fuse, the reference first; they bring their windows and colours.
        folder: where the result may be written.
        model: a name in the catalogue of ``volfuse``.
        options: the others of ``volfuse.fusion.options``, by name.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ...
        metrics: what the result is measured with.
    """
    chosen = FusionOptions(
        windows=[source.window for source in sources],
        colormaps=[source.table for source in sources],
        **options,
    )
    files = tuple(str(source.file) for source in sources)
    return FusionRequest(files, str(folder / RESULT_NAME), model, chosen, device, tuple(metrics))
