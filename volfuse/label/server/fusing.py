"""Routes that fuse one case, the two files of a session, or many cases."""

import json
import shutil
import uuid
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response

from volfuse.fusion.options import FusionOptions
from volfuse.label import FUSION_HEADER, NOTES_HEADER
from volfuse.label.cases import CaseFiles
from volfuse.label.files import link_or_copy
from volfuse.label.infer import facts_of, fusion_request
from volfuse.label.server.answers import (
    application,
    lanes,
    read,
    renew_lease,
    scratch_folder,
    send_file,
    shown,
    store,
    unless_hung_up,
)
from volfuse.label.server.parameters import BatchParameters, InferParameters, Name
from volfuse.label.server.sessions import SessionId
from volfuse.label.server.tasks import tasks_of
from volfuse.label.shown import fusion_id
from volfuse.models import Model

router = APIRouter(tags=["Infer"])
Ticket = Annotated[str, Query(pattern="^[0-9a-f]{0,32}$")]


@router.get("/infer/queue", summary="How many fusions wait, and which place a client has")
async def queue(request: Request, ticket: Ticket = "") -> dict[str, Any]:
    """Return what runs and waits in both lanes; with a ticket, how many fusions are before that one."""
    both = {"pictures": lanes(request).pictures, "volumes": lanes(request).volumes}
    found = [place for lane in both.values() if ticket and (place := lane.position(ticket)) is not None]
    return {name: lane.counts for name, lane in both.items()} | {"position": found[0] if found else None}


@router.post("/infer/{model}", summary="Fuse one case")
async def infer(
    request: Request,
    model: Name,
    image: Annotated[Name | None, Query()] = None,
    session_id: Annotated[SessionId | None, Query()] = None,
    params: Annotated[str, Form(max_length=10_000)] = "{}",
    output: Annotated[Literal["image", "json", "all"], Query()] = "all",
    ticket: Ticket = "",
) -> Response:
    """Fuse a case of the studies folder, or the two files of a session.

    A fusion that waits too long behind others is refused with 429. It ends with its client. That of a case is kept for
    a while: its ``fusion`` in a verdict says which image was judged.
    """
    known = application(request).infer_task(model).model
    parameters = read(InferParameters, params)
    if (image is None) == (session_id is None):
        raise HTTPException(422, "Name either an image or a session_id.")
    options = FusionOptions(**parameters.model_dump(exclude={"result_extension"}))
    suffix = parameters.result_extension
    folder = await run_in_threadpool(scratch_folder, request)
    try:
        if image is not None:
            pair = await run_in_threadpool(store(request).pair, image)
            await run_in_threadpool(renew_lease, request, image)
            work = fuse_case(request, pair, known, options, suffix, folder, ticket)
        else:
            files = await run_in_threadpool(request.app.state.sessions.files, session_id)
            work = _fuse(request, files, known, options, suffix, folder, ticket)
        file, facts = await unless_hung_up(request, work)
        name = f"{image or 'session'}_{model}{suffix}"
        if output == "image":
            headers = {NOTES_HEADER: json.dumps(facts["notes"])}
            if fusion := facts.get("fusion"):
                headers[FUSION_HEADER] = fusion
            return send_file(file, name, is_scratch=True, headers=headers)
        answer = (
            JSONResponse(facts) if output == "json" else await run_in_threadpool(_both, file, facts, name)
        )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
    return answer


@router.post("/batch/infer/{model}", summary="Fuse many cases in the background")
async def batch_infer(
    request: Request,
    model: Name,
    images: Literal["all", "labeled", "unlabeled"] = "all",
    params: BatchParameters | None = None,
    run_sync: bool = False,
) -> Any:
    """Fuse many cases; each result is kept under the name of the model. A case that fails stops no other."""
    application(request).infer_task(model)
    work = {"model": model, "images": images}
    return await tasks_of(request).begin("batch_infer", work, request if run_sync else None)


async def fuse_case(
    request: Request,
    pair: CaseFiles,
    model: Model,
    options: FusionOptions,
    suffix: str,
    folder: Path,
    ticket: str = "",
) -> tuple[Path, dict[str, Any]]:
    """Fuse a case into ``folder``, or put there what was shown of it before; returns the file and facts about it."""
    fusion = await run_in_threadpool(fusion_id, pair, model, options, suffix)
    found = await run_in_threadpool(shown(request).find, pair, model.name, fusion, True)
    if found is not None:
        file = folder / f"fused{suffix}"
        await run_in_threadpool(link_or_copy, found.file, file)
        return file, found.facts
    file, facts = await _fuse(request, list(pair.files), model, options, suffix, folder, ticket)
    facts["fusion"] = fusion
    await run_in_threadpool(shown(request).keep, pair, model.name, fusion, file, facts)
    return file, facts


async def _fuse(
    request: Request,
    files: list[Path],
    model: Model,
    options: FusionOptions,
    suffix: str,
    folder: Path,
    ticket: str,
) -> tuple[Path, dict[str, Any]]:
    are_pictures = await run_in_threadpool(lanes(request).memory.are_pictures, files)
    result = (
        await lanes(request)
        .of(are_pictures)
        .run(
            lambda worker: worker.submit(fusion_request(worker.folder, model.name, files, options, suffix)),
            folder,
            ticket,
        )
    )
    return Path(result["output"]), facts_of(result)


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
