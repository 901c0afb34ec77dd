"""The command ``volfuse register``. What computes loads only when it runs."""

from pathlib import Path
from typing import Annotated, Any

import typer

from volfuse.console import Verbose, one_sentence
from volfuse.errors import FusionError
from volfuse.flags import with_option_flags
from volfuse.fusion.options import FusionOptions
from volfuse.paths import PICTURE_SUFFIXES, check_paths, output_suffix


@with_option_flags("register")
def register(
    reference: Annotated[Path, typer.Argument(help="The volume that stays where it is.")],
    second: Annotated[Path, typer.Argument(help="The volume of the same patient that is moved onto it.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Registered volume: .nii.gz, .nii, .nrrd or .mha.")
    ],
    stages: Annotated[
        str | None,
        typer.Option(
            help="Some of rigid,affine,syn; syn is deformable. Default: rigid,affine, or none with landmarks."
        ),
    ] = None,
    landmarks: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            help="Points that mark the same places in both volumes, where the search begins: .mrk.json, .fcsv or .csv.",
            metavar="REFERENCE_POINTS SECOND_POINTS",
        ),
    ] = None,
    *,
    options: dict[str, Any],
    verbose: Verbose = False,
) -> None:
    """Align one volume with another: the result has the grid of REFERENCE and the values of SECOND."""
    with one_sentence(verbose):
        check_paths([reference, second], output)
        if output_suffix(output).lower() in PICTURE_SUFFIXES:
            raise FusionError(f"{output.name} can hold one slice; choose .nii.gz, .nii, .nrrd or .mha.")

        from volfuse.fusion.pipeline import readings
        from volfuse.registration.command import register_files

        names = stages and [name.strip() for name in stages.split(",")]
        how = readings(FusionOptions(**options), 2)
        register_files([reference, second], how, output, names, landmarks)
