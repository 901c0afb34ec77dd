"""The commands ``volfuse models`` and ``volfuse models import``. torch loads when weights are imported."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from volfuse.console import Verbose, one_sentence, out
from volfuse.models.catalogue import catalogue

app = typer.Typer(name="models", invoke_without_command=True)


@app.callback()
def models(context: typer.Context, verbose: Verbose = False) -> None:
    """List the models to fuse with, or import weights of others."""
    if context.invoked_subcommand:
        return
    with one_sentence(verbose):
        table = Table("Model", "Version", "Images", "What it is")
        for name, model in catalogue().items():
            words = Text.assemble(model.description, "\n", (model.kept, "dim"))
            table.add_row(name, model.version, str(model.num_sources or "2 or more"), words)
        out.print(table)


@app.command("import")
def import_weights(
    network: Annotated[
        Literal["crossfuse", "fusionmamba"], typer.Argument(help="Whose authors' weights they are.")
    ],
    files: Annotated[
        list[Path],
        typer.Argument(help="What the authors published: three files for crossfuse, one for fusionmamba."),
    ],
    name: Annotated[
        str | None, typer.Option(help="What to call the model; default: the network's name and -authors.")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Make a model of the weights that the authors of a network published.

    It is written to the first folder that the environment variable VOLFUSE_BUNDLES names.
    """
    with one_sentence(verbose):
        from volfuse.models.authors.bundle import check, import_bundle

        folder = check(files, name or f"{network}-authors")
        bundle = import_bundle(network, files, folder)
        out.print(f"Model: {bundle.name}, in {bundle.root}", soft_wrap=True, highlight=False)
