"""Put the server together and run it."""

import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from filelock import FileLock, Timeout

from volfuse import __version__
from volfuse.errors import FusionError
from volfuse.label.application import new_application
from volfuse.label.audit import AuditLog
from volfuse.label.files import OWNER_ONLY, make_private, own
from volfuse.label.layout import Layout
from volfuse.label.memory import MIB, Memory
from volfuse.label.rounds import Rounds
from volfuse.label.server import access, cases, comparing, fusing, learning, sessions, tasks
from volfuse.label.server.answers import ERRORS
from volfuse.label.server.audited import Audited
from volfuse.label.server.connections import Connection
from volfuse.label.server.guard import App, Guard
from volfuse.label.server.lanes import Lanes
from volfuse.label.shown import ShownFusions
from volfuse.label.tokens import Access, ReaderTokens
from volfuse.storage import remove_partial


@dataclass(frozen=True)
class ServerSettings:
    """How a server is started.

    Attributes:
        studies: the folder with the scans.
        modalities: what file names end with, the reference first.
        host: the address it listens on.
        port: 0 for any that is free.
        token: what clients must know.
        upload_limit: MiB of one request.
        memory: MiB that the server with its workers may take.
    """

    studies: Path
    modalities: tuple[str, str]
    host: str
    port: int
    token: str
    upload_limit: int
    memory: int


def build(server: ServerSettings) -> App:
    """Return the guarded server of a folder; repairs what a killed one left behind."""
    conf = {"modalities": ",".join(server.modalities)}
    layout = Layout(server.studies)
    _tidy(layout)
    application = new_application(str(layout.studies), conf)
    memory = Memory(server.memory)

    api = FastAPI(
        title="SlicerFusion label server",
        version=__version__,
        description="For research. Not a medical device.",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        exception_handlers=ERRORS,
        redirect_slashes=False,
    )
    api.state.application = application
    api.state.access = access_to_all = Access(server.token, ReaderTokens(layout.readers))
    api.state.sessions = sessions.Sessions(layout.sessions, server.upload_limit * MIB)
    api.state.shown = ShownFusions(layout.shown)
    api.state.lanes = Lanes(layout.workers, memory)
    api.state.tasks = tasks.Tasks(layout, conf, memory.volume_limits)
    for part in (access, cases, comparing, fusing, learning, tasks, sessions):
        api.include_router(part.router)

    @api.get("/info/", tags=["App"], summary="Models, strategies, scorings, trainers")
    def info() -> Any:
        """Return what MONAI Label's clients build their menus from."""
        return application.info()

    audited = Audited(api, AuditLog(layout.audit))
    return Guard(audited, access_to_all, server.upload_limit * MIB, layout.home)


def run(server: ServerSettings, announce: Callable[[str], None]) -> None:
    """Serve until stopped.

    Args:
        server: see :class:`ServerSettings`.
        announce: called with the URL when requests are taken.

    Raises:
        FusionError: if the address is taken, or another server uses the folder.
    """
    layout = Layout(server.studies)
    if layout.home.is_symlink():
        raise FusionError(
            f"{layout.home} is a link; the server writes into the studies folder alone. Remove the link."
        )
    os.umask(OWNER_ONLY)
    try:
        layout.home.mkdir(exist_ok=True)
        (layout.home / ".lock").touch()
    except OSError as error:
        raise FusionError(
            f"The server cannot write to {layout.home} ({error.strerror}); let it, and check that the disk has room."
        ) from error
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    try:
        with FileLock(layout.home / ".lock", timeout=0):
            api = build(server)
            with socket.create_server((server.host, server.port), family=family) as listener:
                host = f"[{server.host}]" if ":" in server.host else server.host
                announce(f"http://{host}:{listener.getsockname()[1]}")
                config = uvicorn.Config(
                    api,
                    http=Connection,
                    log_level="warning",
                    server_header=False,
                    timeout_graceful_shutdown=5,
                )
                uvicorn.Server(config).run([listener])
    except Timeout as error:
        raise FusionError(f"Another server uses {server.studies}; stop it first.") from error
    except OSError as error:
        raise FusionError(
            f"The server cannot listen on {server.host}, port {server.port} ({error.strerror}); choose another."
        ) from error


@asynccontextmanager
async def _lifespan(api: FastAPI) -> AsyncIterator[None]:
    yield
    await api.state.tasks.close()
    await api.state.lanes.close()


def _tidy(layout: Layout) -> None:
    """Remove what requests and a killed server left, close the rounds it left open, and refuse links.

    Raises:
        Damaged: if a folder of the server is a link.
    """
    for folder in layout.folders:
        own(folder)
    for folder in layout.of_one_run:
        shutil.rmtree(folder, ignore_errors=True)
    layout.scratch.mkdir(parents=True)
    tempfile.tempdir = str(layout.scratch)  # uploads wait there, not in a folder that others can list
    make_private(layout.home)
    for folder in (layout.verdicts, layout.scores):
        remove_partial(folder)
    Rounds(layout.rounds).repair_if_idle(layout.models)
