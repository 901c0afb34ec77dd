"""Registration of files: what ``volfuse register`` and ``volfuse fuse --register`` do."""

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from volfuse.console import err, out, progress_bar, show_notes
from volfuse.errors import FusionError
from volfuse.imaging import Source, as_image, write_image
from volfuse.imaging.stored import Reading
from volfuse.registration.gate import BENDING_LIMIT
from volfuse.registration.volumes import Registration, register


def register_files(
    sources: Sequence[Path],
    readings: Sequence[Reading],
    output: Path,
    stages: Sequence[str] | None,
    landmarks: tuple[Path, Path] | None,
) -> None:
    """Register the second source onto the first, show how well it went, and write the registered volume.

    Raises:
        FusionError: if something is wrong with the input, or the result fails the quality gate; nothing is written.
    """
    with progress_bar("Registering", "stages") as progress:
        reference, second = (as_image(*each) for each in zip(sources, (1, 2), readings, strict=True))
        done = register(reference, second, stages, landmarks, progress)
    out.print(quality_table(done))
    if done.landmark_error is not None:
        out.print(f"Landmarks: {done.landmark_error:.2f} mm root mean square distance after the rigid fit")
    if done.bending is not None:
        out.print(
            f"Mutual information that bending would add: {done.bending:.1%} "
            f"(above {BENDING_LIMIT:.0%} is suspicious)"
        )
    show_notes(done.notes)
    # The person who marked the landmarks knows better than the gate.
    pass_gate(done, sources[1].name, sources[0].name, only_warn=landmarks is not None)
    out.print(f"Registered volume: {write_image(done.image, output)}", soft_wrap=True, highlight=False)


def registered(sources: Sequence[Path], readings: Sequence[Reading]) -> list[Source]:
    """Return the first source and the others on its grid, each read as its reading says.

    Raises:
        FusionError: as :func:`register_files`.
    """
    reference = as_image(sources[0], 1, readings[0])
    images: list[Source] = [reference]
    for number, source in enumerate(sources[1:], 2):
        second = as_image(source, number, readings[number - 1])
        with progress_bar(f"Registering {source.name}", "stages") as progress:
            done = register(reference, second, progress=progress)
        pass_gate(done, source.name, sources[0].name)
        images.append(done.image)
    return images


def pass_gate(done: Registration, second: str, reference: str, only_warn: bool = False) -> None:
    """Refuse a registration that looks wrong, warn of one that looks suspicious.

    Raises:
        FusionError: if there is serious doubt, see :class:`~volfuse.registration.gate.Doubt`.
    """
    if not done.doubt:
        return
    sentence = (
        f"{second} may not fit {reference} after registration: {done.doubt.reason}; "
        f"check that both show the same part of the same patient, and if they do, {done.doubt.advice}."
    )
    if done.doubt.is_serious and not only_warn:
        raise FusionError(sentence)
    err.print(f"Warning: {sentence}", soft_wrap=True, highlight=False, markup=False)


def quality_table(done: Registration) -> Table:
    """Return the similarity before and after."""
    table = Table("", "SSIM", "NCC", "NMI", "Edges")
    for name, measured in (("before", done.before), ("after", done.after)):
        values = (measured.ssim, measured.ncc, measured.nmi, measured.edges)
        table.add_row(name, *(f"{value:.3f}" for value in values))
    return table
