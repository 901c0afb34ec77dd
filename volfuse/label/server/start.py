"""Put the server together and run it."""

import json
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
from monailabel.config import settings
from monailabel.interfaces.utils import app as monailabel_apps

from volfuse import __version__
from volfuse.errors import FusionError
from volfuse.label.application import FusionApp
from volfuse.label.audit import AuditLog
from volfuse.label.layout import Layout
from volfuse.label.rounds import Rounds
from volfuse.label.server import access, cases, comparing, fusing, learning, sessions, tasks
from volfuse.label.server.answers import ERRORS
from volfuse.label.server.audited import Audited
from volfuse.label.server.guard import App, Guard
from volfuse.label.tokens import Access, ReaderTokens
from volfuse.resources import shipped
from volfuse.storage import remove_partial

_APP_FOLDER = shipped("label_app")


@dataclass(frozen=True)
class ServerSettings:
    """How a server is started.

    Attributes:
        studies: the folder with the scans.
        modalities: what file names end with, the reference first.
        host: the address it listens on.
        port: 0 for any that is free.
        token: what clients must know.
        upload_limit: bytes of one request.
    """

    studies: Path
    modalities: tuple[str, str]
    host: str
    port: int
    token: str
    upload_limit: int


def build(server: ServerSettings) -> App:
    """Return the guarded server of a folder; repairs what a killed one left behind."""
    conf = {"modalities": ",".join(server.modalities)}
    studies = str(server.studies.resolve())
    _prepare_subprocesses(studies, conf)
    _tidy(Layout(Path(studies)))
    application = FusionApp(str(_APP_FOLDER), studies, conf)
    application.server_mode(True)
    # Where MONAI Label looks for the app of this folder before it would load another.
    monailabel_apps.apps[f"{_APP_FOLDER}{studies}"] = application

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
    api.state.access = access_to_all = Access(server.token, ReaderTokens(application.layout.readers))
    api.state.sessions = sessions.Sessions(application.layout.sessions)
    for part in (access, cases, comparing, fusing, learning, tasks, sessions):
        api.include_router(part.router)

    @api.get("/info/", tags=["App"], summary="Models, strategies, scorings, trainers")
    def info() -> Any:
        """Return what MONAI Label's clients build their menus from."""
        return application.info()

    audited = Audited(api, AuditLog(application.layout.audit))
    return Guard(audited, access_to_all, server.upload_limit)


def run(server: ServerSettings, announce: Callable[[str], None]) -> None:
    """Serve until stopped.

    Args:
        server: see :class:`ServerSettings`.
        announce: called with the URL when requests are taken.

    Raises:
        FusionError: if the address is taken, or another server uses the folder.
    """
    home = Layout(server.studies).home
    if home.is_symlink():
        raise FusionError(
            f"{home} is a link; the server writes into the studies folder alone. Remove the link."
        )
    home.mkdir(exist_ok=True)
    family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
    try:
        with FileLock(home / ".lock", timeout=0):
            api = build(server)
            with socket.create_server((server.host, server.port), family=family) as listener:
                host = f"[{server.host}]" if ":" in server.host else server.host
                announce(f"http://{host}:{listener.getsockname()[1]}")
                config = uvicorn.Config(
                    api, log_level="warning", server_header=False, timeout_graceful_shutdown=5
                )
                uvicorn.Server(config).run([listener])
    except Timeout as error:
        raise FusionError(f"Another server uses {server.studies}; stop it first.") from error
    except OSError as error:
        raise FusionError(
            f"The server cannot listen on {server.host}, port {server.port} ({error.strerror}); choose another."
        ) from error


@asynccontextmanager
async def _lifespan(_api: FastAPI) -> AsyncIterator[None]:
    yield
    tasks.stop_all()


def _prepare_subprocesses(studies: str, conf: dict[str, str]) -> None:
    """Training, scoring and batches run as processes that read MONAI Label's settings from the environment."""
    os.environ["MONAI_LABEL_APP_DIR"] = settings.MONAI_LABEL_APP_DIR = str(_APP_FOLDER)
    os.environ["MONAI_LABEL_STUDIES"] = settings.MONAI_LABEL_STUDIES = studies
    os.environ["MONAI_LABEL_APP_CONF"] = json.dumps(conf)
    settings.MONAI_LABEL_APP_CONF = conf
    # Scoring a whole folder after every sample would leave a small computer no time for the reader.
    os.environ["MONAI_LABEL_AUTO_UPDATE_SCORING"] = "false"
    settings.MONAI_LABEL_AUTO_UPDATE_SCORING = False
    os.environ["MONAI_LABEL_SESSIONS"] = "false"  # ours know two scans
    settings.MONAI_LABEL_SESSIONS = False
    os.environ.setdefault("PYTHONPATH", "")  # MONAI Label appends to it


def _tidy(layout: Layout) -> None:
    """Remove what requests and a killed server left, and close the rounds it left open."""
    shutil.rmtree(layout.scratch, ignore_errors=True)
    layout.scratch.mkdir(parents=True)
    tempfile.tempdir = str(layout.scratch)  # uploads wait there, not in a folder that others can list
    remove_partial(layout.verdicts)
    remove_partial(layout.scores)
    Rounds(layout.rounds).repair_if_idle(layout.models)
