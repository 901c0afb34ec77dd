"""Routes about cases: the list, the scans, fused images, verdicts."""

import shutil
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, HTTPException, Query, Request, UploadFile
from fastapi.responses import FileResponse, Response

from volfuse.imaging import read_image
from volfuse.label.cases import suffix_of
from volfuse.label.datastore import FINAL
from volfuse.label.server.answers import (
    application,
    keep_upload,
    read,
    reader_of,
    renew_lease,
    scratch_folder,
    send_file,
    store,
)
from volfuse.label.server.parameters import Name, VerdictParameters
from volfuse.label.verdicts import Judgement

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
def give_verdict(
    request: Request,
    image: CaseName,
    params: Annotated[str, Form(max_length=10_000)],
    tag: Annotated[Literal["final"], Query()] = FINAL,
    label: Annotated[UploadFile | None, File()] = None,
) -> dict[str, Any]:
    """Store what a reader says of a fused image.

    With the verdict goes the image the reader wants: the file that is sent, or else what the chosen model makes. A case
    that is skipped stays open to other readers; one that cannot be judged is proposed to nobody. When the answer comes,
    the verdict is on the disk.
    """
    case = store(request).pair(image).name
    given = read(VerdictParameters, params)
    words = given.model_dump(exclude={"client_id"}) | {"reader": reader_of(request, given)}
    judgement = Judgement(**words)
    for model in filter(None, (judgement.model, judgement.preferred_model)):
        application(request).infer_task(model)
    chosen = judgement.chosen_model
    folder = scratch_folder(request)
    try:
        if chosen is None:
            verdict = store(request).verdicts.add(case, judgement)
        else:
            file = _chosen_image(request, case, chosen, label, folder)
            verdict = store(request).verdicts.add(
                case, judgement, suffix_of(file.name), lambda path: shutil.copyfile(file, path)
            )
    finally:
        shutil.rmtree(folder)
    store(request).leases.end(case, judgement.reader)
    return {"image": case, "label": case, "verdict": vars(verdict)}


@router.api_route(
    "/{anything:path}", methods=["PUT", "DELETE", "POST", "PATCH"], include_in_schema=False, status_code=405
)
def refused(anything: str) -> Response:
    """Scans and verdicts are not added, changed or removed through the server otherwise."""
    raise HTTPException(405, "The server takes verdicts, and changes or removes nothing.")


def _chosen_image(request: Request, case: str, model: str, upload: UploadFile | None, folder: Path) -> Path:
    if upload is not None:
        file = keep_upload(upload, folder, "chosen")
        read_image(file)  # raises a FusionError if it is no image
        return file
    result = application(request).infer({"model": model, "image": case})
    made = Path(result["file"])
    file = folder / made.name
    shutil.move(made, file)
    made.parent.rmdir()
    return file
