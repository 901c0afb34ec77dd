"""Routes that fuse: one case, a session of two files, many cases."""

import json
import uuid
from pathlib import Path
from typing import Annotated, Any, Literal

import psutil
from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.responses import JSONResponse, Response
from monailabel.utils.async_tasks.task import AsyncTask

from volfuse.fusion.pipeline import FusionOptions
from volfuse.label.server.answers import application, known_case, known_model, read, send_file
from volfuse.label.server.parameters import BatchParameters, InferParameters, Name
from volfuse.label.server.sessions import SessionId

router = APIRouter(tags=["Infer"])


@router.post("/infer/{model}", summary="Fuse one case")
def infer(
    request: Request,
    model: Name,
    image: Annotated[Name | None, Query()] = None,
    session_id: Annotated[SessionId | None, Query()] = None,
    params: Annotated[str, Form(max_length=10_000)] = "{}",
    output: Annotated[Literal["image", "json", "all"], Query()] = "all",
) -> Response:
    """Fuse a case of the studies folder, or the two files of a session."""
    known_model(request, model)
    parameters = read(InferParameters, params)
    if (image is None) == (session_id is None):
        raise HTTPException(422, "Name either an image or a session_id.")
    work: dict[str, Any] = {
        "model": model,
        "options": FusionOptions(
            windows=parameters.windows, colormaps=parameters.colormaps, plane=parameters.plane
        ),
        "result_extension": parameters.result_extension,
    }
    if image is not None:
        work["image"] = known_case(request, image)
    else:
        work["files"] = request.app.state.sessions.files(session_id)
    result = application(request).infer(work)
    file, facts = Path(result["file"]), result["params"]
    name = f"{image or 'session'}_{model}{parameters.result_extension}"
    if output == "image":
        return send_file(file, name, is_scratch=True)
    answer = JSONResponse(facts) if output == "json" else _both(file, facts, name)
    file.unlink()
    file.parent.rmdir()
    return answer


@router.post("/batch/infer/{model}", summary="Fuse many cases in the background")
def batch_infer(
    request: Request,
    model: Name,
    images: Literal["all", "labeled", "unlabeled"] = "all",
    params: BatchParameters | None = None,
    run_sync: bool = False,
) -> Any:
    """Fuse many cases; each result is kept under the name of the model."""
    work = {"model": known_model(request, model), "images": images}
    answer, busy = AsyncTask.run("batch_infer", request=work, force_sync=run_sync)
    if answer is None:
        raise HTTPException(429, busy)
    return answer


@router.get("/batch/infer", summary="How far the batch is")
def batch_status(all: bool = False, check_if_running: bool = False) -> Any:
    """Return the last batch, or all."""
    return task_status("batch_infer", all, check_if_running)


@router.delete("/batch/infer", summary="Stop the batch")
def stop_batch() -> Any:
    """Stop the batch; results that are there stay."""
    return stop_task("batch_infer")


def task_status(method: str, every: bool, check_if_running: bool) -> Any:
    """Return what is known of background tasks of a kind.

    Raises:
        HTTPException: 404 if there is none.
    """
    answer, nothing = AsyncTask.status(method, every, check_if_running)
    if answer is None:
        raise HTTPException(404, nothing)
    # Copies: the thread of the task goes on writing. The last lines are in a deque, which JSON does not know.
    copies = [
        {**task, "details": list(task.get("details", ()))}
        for task in (answer if isinstance(answer, list) else [answer])
    ]
    return copies if isinstance(answer, list) else copies[0]


def stop_task(method: str) -> Any:
    """Stop a background task; returns it, or nothing if none was running."""
    try:
        return AsyncTask.stop(method)
    except psutil.NoSuchProcess:  # it ended by itself meanwhile
        return None


def _both(file: Path, facts: dict[str, Any], name: str) -> Response:
    """Send facts and image in one answer, as MONAI Label's clients expect it."""
    boundary = uuid.uuid4().hex
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="params"\r\n'
        f"Content-Type: application/json\r\n\r\n{json.dumps(facts)}\r\n"
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = head.encode() + file.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
    return Response(body, media_type=f"multipart/form-data; boundary={boundary}")
