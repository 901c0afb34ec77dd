"""The command ``volfuse readers``: who may use a label server, each with a token of their own."""

from pathlib import Path
from typing import Annotated

import typer

from volfuse.console import one_sentence, out
from volfuse.errors import FusionError
from volfuse.label.layout import Layout
from volfuse.label.tokens import ReaderTokens

app = typer.Typer(no_args_is_help=True, help="Give each reader of a label server a token, or take it back.")

Studies = Annotated[Path, typer.Option(help="The folder that `volfuse serve` serves.")]
Name = Annotated[str, typer.Argument(help="The reader, as verdicts shall name them.")]


@app.command()
def add(name: Name, studies: Studies) -> None:
    """Print a new token for a reader; it is shown once, and an older one ends."""
    with one_sentence(False):
        token = _readers(studies).add(name)
        out.print(f"Token of {name}: {token}", soft_wrap=True, highlight=False, markup=False)


@app.command()
def revoke(name: Name, studies: Studies) -> None:
    """Take the token of a reader back, at once."""
    with one_sentence(False):
        _readers(studies).revoke(name)
        out.print(f"The token of {name} is worth nothing any more.", highlight=False, markup=False)


@app.command("list")
def list_readers(studies: Studies) -> None:
    """Name the readers that have a token."""
    with one_sentence(False):
        for name in _readers(studies).digests():
            out.print(name, highlight=False, markup=False)


def _readers(studies: Path) -> ReaderTokens:
    if not studies.is_dir():
        raise FusionError(f"There is no folder {studies}; give the one that is served.")
    layout = Layout(studies)
    if layout.home.is_symlink():
        raise FusionError(f"{layout.home} is a link; remove it.")
    return ReaderTokens(layout.readers)
