"""The ``volfuse`` command. torch and MONAI load only when a command needs them."""

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from volfuse import __version__
from volfuse.choices import Convention
from volfuse.console import Verbose, one_sentence, out, progress_bar, show_notes
from volfuse.errors import missing_package
from volfuse.flags import with_option_flags
from volfuse.fusion.options import FusionOptions
from volfuse.info.cli import info as info_command
from volfuse.label.cli import app as readers_command
from volfuse.models import DEFAULT_MODEL, find
from volfuse.models.cli import app as models_command
from volfuse.paths import check_paths
from volfuse.registration.cli import register as register_command

NOT_A_DEVICE = "For research. Not a medical device: do not use for diagnosis."

app = typer.Typer(
    name="volfuse",
    help=f"Fuse co-registered medical images into one. {NOT_A_DEVICE}",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(f"volfuse {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Options of the command itself."""


Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")]
Model = Annotated[str, typer.Option(help="A name that `volfuse models` lists.")]


@app.command()
@with_option_flags("command")
def fuse(
    sources: Annotated[
        list[Path],
        typer.Argument(
            help="Images of one patient: NIfTI, NRRD, MHA, PNG, TIFF or a DICOM folder. The first is the reference."
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Fused image: .nii.gz, .nii, .nrrd, .mha, .png or .tif.")
    ],
    *,
    model: Model = DEFAULT_MODEL,
    options: dict[str, Any],
    register: Annotated[
        bool,
        typer.Option("--register", help="First put every other volume onto the first: rigid, then affine."),
    ] = False,
    device: Device = "auto",
    verbose: Verbose = False,
) -> None:
    """Fuse images into one on the grid of the first."""
    with one_sentence(verbose):
        check_paths(sources, output)
        find(model)
        chosen = FusionOptions(**options)

        from volfuse.fusion.pipeline import FusionPipeline, readings
        from volfuse.imaging.files import write_image
        from volfuse.registration.command import registered

        pipeline = FusionPipeline(model, device)
        images = registered(sources, readings(chosen, len(sources))) if register else sources
        with progress_bar() as progress:
            fused = pipeline.fuse_image(images, chosen, progress)
        show_notes(fused.notes)
        out.print(f"Fused image: {write_image(fused.image, output)}", soft_wrap=True, highlight=False)


app.command("register")(register_command)
app.command("info")(info_command)
app.add_typer(models_command)
app.add_typer(readers_command, name="readers")


@app.command()
def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the images.")] = Path("demo"),
    model: Model = DEFAULT_MODEL,
    device: Device = "auto",
    verbose: Verbose = False,
) -> None:
    """Fuse a real T1 volume with a simulated PET and draw the result.

    The T1 is the MNI152 template; it is fetched once as part of the nilearn package, through pip.
    """
    with one_sentence(verbose):
        from volfuse.data.demo import write_demo_pair
        from volfuse.evaluation.figures import draw_case
        from volfuse.fusion.pipeline import FusionPipeline
        from volfuse.imaging.files import write_image

        output.mkdir(parents=True, exist_ok=True)
        pair = write_demo_pair(output)
        # Wide windows: where both scans are near white there is no room for what either shows.
        options = FusionOptions(windows=["0:350", "0:420"], colormaps=[None, "afmhot"])
        pipeline = FusionPipeline(model, device)
        with progress_bar() as progress:
            fused = pipeline.fuse(pair, options, progress)
        volume = write_image(fused, output / "fused.nii.gz")
        figure = draw_case(pipeline.steps(2, options), pair, fused, output / "demo.png")
        for title, path in (
            ("T1", pair[0]),
            ("Simulated PET", pair[1]),
            ("Fused", volume),
            ("Picture", figure),
        ):
            out.print(f"{title + ':':<15}{path}", soft_wrap=True, highlight=False)
        out.print(NOT_A_DEVICE)


@app.command()
def evaluate(
    pairs: Annotated[Path, typer.Option(help="A folder of image pairs with its splits.json.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the report.")],
    models: Annotated[
        list[str] | None, typer.Option(help="Names that `volfuse models` lists, with commas; default: all.")
    ] = None,
    tasks: Annotated[
        list[str] | None, typer.Option(help="Tasks in splits.json, with commas; default: all.")
    ] = None,
    split: Annotated[str, typer.Option(help="A split in splits.json: test, clean_val, ...")] = "test",
    metrics: Annotated[
        list[str] | None,
        typer.Option(help="Metrics as docs/concepts/metrics.md names them, with commas; default: all."),
    ] = None,
    convention: Annotated[
        Convention, typer.Option(help="The correct arithmetic, or that behind published tables.")
    ] = "reference",
    lesions: Annotated[
        bool,
        typer.Option("--lesions", help="Also measure how much of a lesion that one image shows is kept."),
    ] = False,
    device: Device = "auto",
    verbose: Verbose = False,
) -> None:
    """Measure models on image pairs: tables, statistics, figures and one page. A stopped run goes on."""
    with one_sentence(verbose):
        try:
            from volfuse.evaluation.report import evaluate as write_report
            from volfuse.evaluation.selection import select
        except ModuleNotFoundError as error:
            raise missing_package(error.name, "evaluate") from error

        selection = select(pairs, split, _names(models), _names(tasks), _names(metrics), convention)
        command = shlex.join(["volfuse", *sys.argv[1:]])
        with progress_bar("Evaluating", "pairs") as progress:
            page = write_report(selection, output, device, progress, command, lesions)
        out.print(f"Report: {page}", soft_wrap=True, highlight=False)


@app.command()
def serve(
    studies: Annotated[
        Path, typer.Option(help="Folder with pairs such as case1_mr.nii.gz and case1_pet.nii.gz.")
    ],
    modalities: Annotated[
        str, typer.Option(help="What the file names end with, the reference first.")
    ] = "mr,pet",
    host: Annotated[str, typer.Option(help="Address to listen on; others can reach all but 127.0.0.1.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(help="0 takes a free one.", min=0, max=65535)] = 8000,
    upload_limit: Annotated[int, typer.Option(help="MiB of one request.", min=1, max=65536)] = 1024,
    doctor: Annotated[
        bool, typer.Option("--doctor", help="Serve nothing; name every file in the folder that is damaged.")
    ] = False,
    decode: Annotated[
        bool,
        typer.Option("--decode", help="With --doctor: read the scans to their end, not only their headers."),
    ] = False,
    memory: Annotated[
        int, typer.Option(help="MiB that the server may take; it decides how large images may be.", min=1500)
    ] = 2000,
    verbose: Verbose = False,
) -> None:
    """Serve a folder of cases to readers in 3D Slicer (MONAI Label): fuse, judge, fine-tune."""
    with one_sentence(verbose):
        from volfuse.label.serving import examine, is_loopback
        from volfuse.label.serving import serve as start

        def announce(url: str, token: str) -> None:
            token = token or "one for each reader; see volfuse readers"
            out.print(f"URL:   {url}\nToken: {token}", soft_wrap=True, highlight=False, markup=False)
            if not is_loopback(host):
                out.print(
                    "Others can reach this address, and nothing is encrypted: use it behind a TLS proxy."
                )
            out.print(NOT_A_DEVICE)

        if doctor:
            damaged = list(examine(studies, modalities, decode))
            for sentence in damaged:
                out.print(sentence, soft_wrap=True, highlight=False, markup=False)
            out.print(f"Damaged: {len(damaged)}." if damaged else "No file is damaged.")
            raise typer.Exit(int(bool(damaged)))
        start(studies, modalities, host, port, upload_limit, memory, announce)


def main() -> None:
    """Entry point of the installed command."""
    app()


def _names(options: list[str] | None) -> list[str]:
    """Split ``--option a,b --option c``."""
    return [name.strip() for option in options or [] for name in option.split(",") if name.strip()]
