"""Routes that fuse one case, the two files of a session, or many cases."""

import json
import uuid
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.responses import JSONResponse, Response

from volfuse.fusion.options import FusionOptions
from volfuse.label import NOTES_HEADER
from volfuse.label.server.answers import application, read, renew_lease, send_file
from volfuse.label.server.parameters import BatchParameters, InferParameters, Name
from volfuse.label.server.sessions import SessionId
from volfuse.label.server.tasks import begin_task

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
    application(request).infer_task(model)
    parameters = read(InferParameters, params)
    if (image is None) == (session_id is None):
        raise HTTPException(422, "Name either an image or a session_id.")
    work: dict[str, Any] = {
        "model": model,
        "options": FusionOptions(**parameters.model_dump(exclude={"result_extension"})),
        "result_extension": parameters.result_extension,
    }
    if image is not None:
        work["image"] = image
        renew_lease(request, image)
    else:
        work["files"] = request.app.state.sessions.files(session_id)
    result = application(request).infer(work)
    file, facts = Path(result["file"]), result["params"]
    name = f"{image or 'session'}_{model}{parameters.result_extension}"
    if output == "image":
        return send_file(file, name, is_scratch=True, headers={NOTES_HEADER: json.dumps(facts["notes"])})
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
    application(request).infer_task(model)
    return begin_task("batch_infer", {"model": model, "images": images}, run_sync)


def _both(file: Path, facts: dict[str, Any], name: str) -> Response:
    """Return facts and image in one answer, as MONAI Label's clients expect it."""
    boundary = uuid.uuid4().hex
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="params"\r\n'
        f"Content-Type: application/json\r\n\r\n{json.dumps(facts)}\r\n"
        f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = head.encode() + file.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
    return Response(body, media_type=f"multipart/form-data; boundary={boundary}")
