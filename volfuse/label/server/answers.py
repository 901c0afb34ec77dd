"""How requests are read and answers are sent."""

import json
import logging
import math
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

from volfuse.errors import TOO_LITTLE_MEMORY, FusionError, StorageError
from volfuse.imaging.formats import declared_size
from volfuse.label.application import FusionApp
from volfuse.label.cases import suffix_of
from volfuse.label.datastore import PairedDatastore
from volfuse.label.errors import Busy, Damaged, NotFound
from volfuse.label.server.parameters import Parameters, ReaderParameters

_P = TypeVar("_P", bound=Parameters)
_STATUS: dict[type[Exception], int] = {NotFound: 404, Damaged: 409, Busy: 429}
_MOST_VALUES = 1 << 28  # 512 x 512 x 1024
_logger = logging.getLogger(__name__)


def application(request: Request) -> FusionApp:
    """Return the app behind the routes."""
    app: FusionApp = request.app.state.application
    return app


def store(request: Request) -> PairedDatastore:
    """Return the cases of the app."""
    return application(request).datastore()


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
        HTTPException: 415 if it is not an image that can be read, 413 if it has too many voxels.
    """
    suffix = suffix_of(upload.filename or "")
    if not suffix:
        raise HTTPException(415, "Images are .nii.gz, .nii, .nrrd, .mha or .png files.")
    path = folder / f"{stem}{suffix}"
    with path.open("wb") as file:
        shutil.copyfileobj(upload.file, file)
    _check_header(path)
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
    """Send a file as ``name``; a result in a scratch folder is removed afterwards."""
    done = BackgroundTask(shutil.rmtree, path.parent, ignore_errors=True) if is_scratch else None
    return FileResponse(
        path, headers=headers, media_type="application/octet-stream", filename=name, background=done
    )


async def answer_error(_request: Request, error: Exception) -> JSONResponse:
    """Answer with the sentence of an error that the client can do something about."""
    _logger.info("Details:", exc_info=error)
    if isinstance(error, MONAILabelException):
        return JSONResponse({"detail": error.msg}, 400)  # type: ignore[attr-defined] # a slot, unseen by mypy
    return JSONResponse({"detail": str(error)}, _STATUS.get(type(error), 400))


async def answer_invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
    """Answer 422 without repeating the input, which may not even be text."""
    return JSONResponse({"detail": _sentences(error.errors())}, 422)


async def answer_short_of_memory(_request: Request, _error: MemoryError) -> JSONResponse:
    """Answer 413: these images are too large for this computer."""
    return JSONResponse({"detail": TOO_LITTLE_MEMORY}, 413)


async def answer_unwritable(_request: Request, error: StorageError) -> JSONResponse:
    """Answer 507: what went wrong is not the client's business, nor are the server's paths."""
    _logger.error("A file could not be written.", exc_info=error)
    return JSONResponse({"detail": "The server cannot write to its disk; tell whoever runs it."}, 507)


ERRORS: dict[int | type[Exception], Callable[[Request, Any], Coroutine[Any, Any, Response]]] = {
    MemoryError: answer_short_of_memory,
    FusionError: answer_error,
    StorageError: answer_unwritable,
    MONAILabelException: answer_error,
    RequestValidationError: answer_invalid,
}
"""What is answered to an error, by its class."""


def _check_header(path: Path) -> None:
    """Small files can hold huge images; the header says so before anything is unpacked."""
    try:
        declared = declared_size(path)
    except FusionError as error:
        raise HTTPException(415, str(error)) from error
    if math.prod(declared.shape) > _MOST_VALUES:
        raise HTTPException(413, f"An image may have {_MOST_VALUES >> 20} Mi values; this one has more.")


def _sentences(errors: Sequence[Mapping[str, Any]]) -> str:
    texts = [f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}" for error in errors]
    # ASCII: an unknown field can be named with characters that no answer can hold.
    return json.dumps("; ".join(texts))[1:-1][:1000]
