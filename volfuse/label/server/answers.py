"""How requests are read and answers are sent."""

import asyncio
import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from fastapi import HTTPException, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from monailabel.interfaces.exception import MONAILabelException
from pydantic import ValidationError
from starlette.background import BackgroundTask

from volfuse.errors import FusionError, StorageError
from volfuse.imaging.formats import declared_size
from volfuse.label.application import FusionApp
from volfuse.label.cases import suffix_of
from volfuse.label.datastore import PairedDatastore
from volfuse.label.errors import Busy, Damaged, Gone, NoRoom, NotFound, TooLarge
from volfuse.label.server.lanes import Lanes
from volfuse.label.server.parameters import Parameters, ReaderParameters
from volfuse.label.shown import ShownFusions

_P = TypeVar("_P", bound=Parameters)
_T = TypeVar("_T")
_STATUS: dict[type[Exception], int] = {
    NotFound: 404,
    Damaged: 409,
    Gone: 410,
    TooLarge: 413,
    Busy: 429,
    NoRoom: 507,
}
_TOO_LITTLE_MEMORY = (
    "There is too little memory for these images with this model; crop them, choose another model, "
    "or start the server with more --memory."
)
_HUNG_UP = 499  # nobody reads it
_logger = logging.getLogger(__name__)


def application(request: Request) -> FusionApp:
    """Return the app behind the routes."""
    app: FusionApp = request.app.state.application
    return app


def store(request: Request) -> PairedDatastore:
    """Return the cases of the app."""
    return application(request).datastore()


def lanes(request: Request) -> Lanes:
    """Return where fusions wait and run."""
    found: Lanes = request.app.state.lanes
    return found


def shown(request: Request) -> ShownFusions:
    """Return the fused images that readers are looking at."""
    kept: ShownFusions = request.app.state.shown
    return kept


async def unless_hung_up(request: Request, work: Coroutine[Any, Any, _T]) -> _T:
    """Do what a client waits for; it is cancelled when the client hangs up.

    Raises:
        HTTPException: if it has.
    """
    task, end = asyncio.ensure_future(work), asyncio.ensure_future(_hang_up(request))
    try:
        await asyncio.wait({task, end}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise HTTPException(_HUNG_UP, "The client hung up.")
    finally:
        task.cancel()
        end.cancel()
        await asyncio.gather(task, end, return_exceptions=True)


def read(kind: type[_P], text: str | None) -> _P:
    """Read parameters from the JSON in a form field.

    Raises:
        HTTPException: 422 if a name, a type or a value is wrong.
    """
    try:
        return kind.model_validate_json(text or "{}")
    except ValidationError as error:
        raise HTTPException(422, _sentences(error.errors())) from error


def keep_upload(upload: UploadFile, folder: Path, stem: str) -> Path:
    """Write an upload into ``folder`` as ``stem`` with the known suffix of its name, the only part that is used.

    Raises:
        HTTPException: 415 if it is not an image that can be read.
    """
    suffix = suffix_of(upload.filename or "")
    if not suffix:
        raise HTTPException(415, "Images are .nii.gz, .nii, .nrrd, .mha or .png files.")
    path = folder / f"{stem}{suffix}"
    with path.open("wb") as file:
        shutil.copyfileobj(upload.file, file)
    try:
        declared_size(path)
    except FusionError as error:
        raise HTTPException(415, str(error)) from error
    return path


def reader_of(request: Request, given: ReaderParameters) -> str:
    """Return who asks: who the token belongs to or, where all share one, who they say they are."""
    return request.scope["reader"] or given.reader or given.client_id or ""


def renew_lease(request: Request, case: str) -> None:
    """Begin the time again for which a case is its reader's, who does something with it."""
    store(request).leases.renew(case, request.scope["reader"] or None)


def scratch_folder(request: Request) -> Path:
    """Make a folder for the files of one request."""
    scratch = application(request).layout.scratch
    scratch.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=scratch))


def send_file(
    path: Path, name: str, is_scratch: bool = False, headers: Mapping[str, str] | None = None
) -> FileResponse:
    """Send a file as ``name``; a result in a scratch folder is removed afterwards.

    Raises:
        NotFound: if it is gone.
    """
    if not path.is_file():
        raise NotFound(f"{name} is not there any more; ask /datastore/ for the list.")
    done = BackgroundTask(shutil.rmtree, path.parent, ignore_errors=True) if is_scratch else None
    return FileResponse(
        path, headers=headers, media_type="application/octet-stream", filename=name, background=done
    )


async def answer_error(request: Request, error: Exception) -> JSONResponse:
    """Answer with the sentence of an error that the client can do something about, without paths of this machine."""
    _logger.info("Details:", exc_info=error)
    if isinstance(error, MONAILabelException):
        return JSONResponse({"detail": error.msg}, 400)  # type: ignore[attr-defined] # a slot, unseen by mypy
    sentence = str(error).replace(f"{application(request).layout.studies}/", "")
    wait = {"Retry-After": str(error.seconds)} if isinstance(error, Busy) and error.seconds else None
    return JSONResponse({"detail": sentence}, _STATUS.get(type(error), 400), headers=wait)


async def answer_invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
    """Answer 422 without repeating the input, which may not even be text."""
    return JSONResponse({"detail": _sentences(error.errors())}, 422)


async def answer_short_of_memory(_request: Request, _error: MemoryError) -> JSONResponse:
    """Answer 413: these images are too large for what the server may take."""
    return JSONResponse({"detail": _TOO_LITTLE_MEMORY}, 413)


async def answer_gone(_request: Request, error: FileNotFoundError) -> JSONResponse:
    """Answer 404: a scan was taken away since the case was looked for."""
    _logger.info("Details:", exc_info=error)
    return JSONResponse({"detail": "A scan is not there any more; ask /datastore/ for the list."}, 404)


async def answer_unwritable(_request: Request, error: StorageError | OSError) -> JSONResponse:
    """Answer 507: what went wrong is not the client's business, nor are the server's paths."""
    _logger.error("A file could not be written.", exc_info=error)
    return JSONResponse({"detail": "The server cannot write to its disk; tell whoever runs it."}, 507)


ERRORS: dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]] = {
    MemoryError: answer_short_of_memory,
    FusionError: answer_error,
    StorageError: answer_unwritable,
    OSError: answer_unwritable,
    FileNotFoundError: answer_gone,
    MONAILabelException: answer_error,
    RequestValidationError: answer_invalid,
}
"""What is answered to an error, by its class."""


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _sentences(errors: Sequence[Mapping[str, Any]]) -> str:
    texts = [f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}" for error in errors]
    # ASCII: an unknown field can be named with characters that no answer can hold.
    return json.dumps("; ".join(texts))[1:-1][:1000]
