"""Looks through the folder of a server and names every file that is damaged. It changes nothing."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from volfuse.errors import FusionError
from volfuse.imaging.formats import declared_size
from volfuse.jobs import FusionWorker
from volfuse.label.cases import find_scans, suffix_of
from volfuse.label.comparisons import Comparisons
from volfuse.label.files import known_as, own
from volfuse.label.layout import Layout
from volfuse.label.records import read_record
from volfuse.label.rounds import Rounds
from volfuse.label.verdicts import VerdictStore

_BETWEEN_POLLS = 0.05  # seconds


def examine(studies: Path, modalities: tuple[str, str], decode: bool = False) -> Iterator[str]:
    """Yield a sentence on every file that is damaged, missing, or a link where there must be none.

    Args:
        studies: the folder of a server.
        modalities: see :func:`volfuse.label.cases.find_cases`.
        decode: read the scans to their end; otherwise their headers.
    """
    layout = Layout(studies)
    yield from _scans(find_scans(layout.studies, modalities), decode)
    for path in sorted(layout.home.rglob("*")):
        if path.is_symlink():
            yield from _faults(own, path)
    yield from _verdicts(VerdictStore(layout.verdicts), layout.verdicts)
    yield from (record["error"] for record in Rounds(layout.rounds).all() if record["state"] == "damaged")
    yield from Comparisons(layout.comparisons).faults()
    records = [*layout.scores.glob("*.json"), *layout.leases.glob("*.json")]
    records += [layout.readers] if layout.readers.is_file() else []
    for path in sorted([*records, *layout.models.glob("*/configs/*.json")]):
        yield from _faults(read_record, path)
    if layout.hold_out.is_file():
        yield from _faults(lambda path: read_record(path, list), layout.hold_out)
    for path in sorted(layout.images.glob("*/*")):
        if suffix_of(path.name) and not path.is_symlink():
            yield from _faults(declared_size, path)


def _scans(scans: list[Path], decode: bool) -> Iterator[str]:
    if not decode:
        for scan in scans:
            yield from _faults(declared_size, scan)
        return
    with FusionWorker() as worker:
        for scan in scans:
            worker.check(scan)
            while worker.busy:
                for event in worker.poll():
                    if event.kind == "failed":
                        yield event.message if scan.name in event.message else f"{scan.name}: {event.message}"
                time.sleep(_BETWEEN_POLLS)


def _verdicts(store: VerdictStore, folder: Path) -> Iterator[str]:
    for case in sorted(store.seen()):
        yield from store.faults(case)
        for verdict in store.of(case):
            image = folder / case / (verdict.image or "")
            if not image.exists():
                yield f"{known_as(image)} is missing; verdict {verdict.number} on {case} names it."
            elif verdict.image:
                yield from _faults(declared_size, image)


def _faults(look: Callable[[Path], object], path: Path) -> Iterator[str]:
    try:
        look(path)
    except FusionError as error:
        sentence = str(error)
        yield sentence if path.name in sentence else f"{known_as(path)}: {sentence}"
