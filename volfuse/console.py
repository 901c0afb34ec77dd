"""What every command shares: where it prints, the option -v, its progress bar, and errors as one sentence."""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from volfuse.errors import TOO_LITTLE_MEMORY, FusionError

BAD_INPUT = 2
"""The exit code."""

Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Show the log.")]

out = Console()
err = Console(stderr=True)


@contextmanager
def progress_bar(verb: str = "Fusing", unit: str = "slices") -> Iterator[Callable[[int, int], None]]:
    """Show a bar on a terminal; yields a function that takes what is done and how much there is in all."""
    columns = (
        TextColumn(verb),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(unit, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def show_notes(notes: Iterable[str]) -> None:
    """Show what the user should know about the images, each on a line of its own."""
    for note in notes:
        err.print(f"Note: {note}", soft_wrap=True, highlight=False, markup=False)


@contextmanager
def one_sentence(verbose: bool) -> Iterator[None]:
    """Show an error of the input as its sentence, exit code 2; the trace is in the log (``-v``)."""
    logging.basicConfig(
        level=logging.INFO if verbose else logging.ERROR, format="%(levelname)s %(name)s: %(message)s"
    )
    try:
        yield
    except FusionError as error:
        logging.getLogger("volfuse").info("Details:", exc_info=error)
        err.print(f"Error: {error}", soft_wrap=True, highlight=False, markup=False)
        raise typer.Exit(BAD_INPUT) from error
    except MemoryError as error:
        err.print(f"Error: {TOO_LITTLE_MEMORY}")
        raise typer.Exit(BAD_INPUT) from error
