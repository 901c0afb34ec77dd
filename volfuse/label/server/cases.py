"""Routes about cases: the list, the scans, fused images, verdicts."""

import shutil
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from fastapi import APIRouter, File, Form, HTTPException, Query, Request, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse, Response

from volfuse.fusion.options import FusionOptions
from volfuse.label.cases import CaseFiles, suffix_of
from volfuse.label.datastore import FINAL
from volfuse.label.errors import Gone
from volfuse.label.files import link_or_copy
from volfuse.label.server.answers import (
    application,
    keep_upload,
    lanes,
    read,
    reader_of,
    renew_lease,
    scratch_folder,
    send_file,
    shown,
    store,
    unless_hung_up,
)
from volfuse.label.server.fusing import fuse_case
from volfuse.label.server.parameters import Name, ResultSuffix, VerdictParameters
from volfuse.label.shown import fusion_id
from volfuse.label.verdicts import Judgement
from volfuse.models import Model

router = APIRouter(prefix="/datastore", tags=["Datastore"])
CaseName = Annotated[Name, Query()]


@router.get("/", summary="List the cases")
def datastore(request: Request, output: Literal["train", "stats", "all"] = "stats") -> Any:
    """Return numbers, all cases with their images and scores, or the reviewed ones."""
    cases = store(request)
    return {"all": cases.json, "train": cases.datalist, "stats": cases.status}[output]()


@router.head("/image", summary="Is there such a case?", include_in_schema=False)
@router.get("/image", summary="Download the reference scan")
def image(request: Request, image: CaseName) -> FileResponse:
    """Send the scan whose grid the fused image has."""
    path = store(request).pair(image).reference
    renew_lease(request, image)
    return send_file(path, path.name)


@router.get("/second", summary="Download the second scan")
def second(request: Request, image: CaseName) -> FileResponse:
    """Send the second scan of a case."""
    path = store(request).pair(image).second
    renew_lease(request, image)
    return send_file(path, path.name)


@router.get("/image/info", summary="What is known of a case")
def image_info(request: Request, image: CaseName) -> dict[str, Any]:
    """Return file names, scores and the last verdict."""
    return store(request).get_image_info(image)


@router.head("/label", summary="Is there such a fused image?", include_in_schema=False)
@router.get("/label", summary="Download a fused image")
def label(
    request: Request, tag: Name, label: Annotated[Name | None, Query()] = None, image: Name | None = None
) -> FileResponse:
    """Send what a model made (tag: its name) or what the last reader chose (tag: final)."""
    case = label or image or ""
    path = Path(store(request).get_label_uri(case, tag))
    return send_file(path, f"{case}_{tag}{suffix_of(path.name)}")


@router.get("/label/info", summary="What the last reader said")
def label_info(request: Request, label: CaseName, tag: Name) -> dict[str, Any]:
    """Return the last verdict under the tag final; other tags hold nothing."""
    return store(request).get_label_info(label, tag)


@router.get("/verdicts", summary="All verdicts on a case")
def verdicts(request: Request, image: CaseName) -> list[dict[str, Any]]:
    """Return every verdict on a case, the oldest first, then a sentence on each that is damaged."""
    case, known = store(request).pair(image).name, store(request).verdicts
    return [
        *(vars(verdict) for verdict in known.of(case)),
        *({"damaged": sentence} for sentence in known.faults(case)),
    ]


@router.put("/label", summary="Give a verdict")
async def give_verdict(
    request: Request,
    image: CaseName,
    params: Annotated[str, Form(max_length=10_000)],
    tag: Annotated[Literal["final"], Query()] = FINAL,
    label: Annotated[UploadFile | None, File()] = None,
) -> dict[str, Any]:
    """Store what a reader says of a fused image.

    With the verdict goes the image the reader wants: the file that is sent, or the fused image with the id ``fusion``,
    or else what was shown last of the chosen model, and if nothing was, what it makes with its usual options. A case
    that is skipped stays open to other readers; one that cannot be judged is proposed to nobody. When the answer comes,
    the verdict is on the disk.
    """
    pair = await run_in_threadpool(store(request).pair, image)
    given = read(VerdictParameters, params)
    words = given.model_dump(exclude={"client_id", "fusion"}) | {"reader": reader_of(request, given)}
    judgement = Judgement(**words)
    for model in filter(None, (judgement.model, judgement.preferred_model)):
        application(request).infer_task(model)
    chosen, add = judgement.chosen_model, store(request).verdicts.add
    folder = await run_in_threadpool(scratch_folder, request)
    try:
        if chosen is None:
            verdict = await run_in_threadpool(add, pair.name, judgement)
        elif label is not None:
            file = await run_in_threadpool(keep_upload, label, folder, "chosen")
            are_pictures = await run_in_threadpool(lanes(request).memory.are_pictures, [file])
            await unless_hung_up(
                request, lanes(request).of(are_pictures).run(lambda worker: worker.check(file))
            )
        else:
            file = await _chosen_image(request, pair, chosen, given.fusion, folder)
        if chosen is not None:
            verdict = await run_in_threadpool(
                add, pair.name, judgement, suffix_of(file.name), lambda partial: link_or_copy(file, partial)
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    await run_in_threadpool(store(request).leases.end, pair.name, judgement.reader)
    return {"image": pair.name, "label": pair.name, "verdict": vars(verdict)}


@router.api_route(
    "/{anything:path}", methods=["PUT", "DELETE", "POST", "PATCH"], include_in_schema=False, status_code=405
)
def refused(anything: str) -> Response:
    """Scans and verdicts are not added, changed or removed through the server otherwise."""
    raise HTTPException(405, "The server takes verdicts, and changes or removes nothing.")


async def _chosen_image(
    request: Request, pair: CaseFiles, model: str, fusion: str | None, folder: Path
) -> Path:
    """Return the fused image that the reader has seen, or make it.

    Raises:
        Gone: if the reader says which one, and it is not kept any more.
    """
    known = application(request).infer_task(model).model
    suffix: str | None = ".nii.gz"
    if fusion is None:
        found = await run_in_threadpool(shown(request).last, pair, known)
    else:
        found = await run_in_threadpool(shown(request).find, pair, model, fusion)
        suffix = await run_in_threadpool(_usual_suffix, pair, known, fusion)
    if found is not None:
        return found.file
    if suffix is None:
        raise Gone(
            "The fused image that was judged is not kept any more; fuse the case again, and look at it."
        )
    work = fuse_case(request, pair, known, FusionOptions(), suffix, folder)
    file, _ = await unless_hung_up(request, work)
    return file


def _usual_suffix(pair: CaseFiles, model: Model, fusion: str) -> str | None:
    """Return the suffix with which the usual options make a fused image again, if they made it."""
    suffixes = get_args(ResultSuffix)
    return next((each for each in suffixes if fusion_id(pair, model, FusionOptions(), each) == fusion), None)
