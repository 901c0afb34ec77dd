"""What is refused by its path alone, before torch has to load."""

from collections.abc import Sequence
from pathlib import Path

from volfuse.errors import FusionError

# Formats without a position in space, and those a fused image can be written to.
PICTURE_SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp")
OUTPUT_SUFFIXES = (".nii.gz", ".nii", ".nrrd", ".mha", ".png", ".tif", ".tiff")


def check_source(path: Path) -> None:
    """Refuse an image that is not there.

    Raises:
        FusionError: if neither a file nor a folder has this path.
    """
    if not path.exists():
        raise FusionError(f"{path} does not exist; check the path.")


def check_paths(sources: Sequence[Path], output: Path) -> None:
    """Refuse, before any work is done, what could not be read or written, or would overwrite a source.

    Raises:
        FusionError: for a missing source; for an output of an unknown format, in a missing folder, or that is one of
            ``sources``.
    """
    for source in sources:
        check_source(source)
    output_suffix(output)
    if not output.parent.is_dir():
        raise FusionError(f"The folder {output.parent} does not exist; create it or choose another output.")
    if output.resolve() in {source.resolve() for source in sources}:
        raise FusionError(f"{output} is one of the sources; choose another output.")


def output_suffix(path: Path) -> str:
    """Return the suffix of an output path, ``.nii.gz`` as one.

    Raises:
        FusionError: if no fused image can be written in that format.
    """
    for suffix in OUTPUT_SUFFIXES:
        if path.name.lower().endswith(suffix) and len(path.name) > len(suffix):
            return path.name[-len(suffix) :]
    raise FusionError(
        f"'{path.name}' names no format to write; end the output with {', '.join(OUTPUT_SUFFIXES)}."
    )
