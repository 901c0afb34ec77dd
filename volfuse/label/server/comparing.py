"""Routes for blinded comparisons, and for how far readers agree."""

import random
import shutil
from collections import Counter
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse
from pydantic import Field

from volfuse.fusion.options import FusionOptions
from volfuse.label.agreement import agreement_on_comparisons, agreement_on_verdicts
from volfuse.label.comparisons import Comparisons, Preferred, Side
from volfuse.label.errors import NotFound
from volfuse.label.scoring import QUICK_MODELS
from volfuse.label.server.answers import (
    application,
    reader_of,
    renew_lease,
    scratch_folder,
    send_file,
    store,
    unless_hung_up,
)
from volfuse.label.server.fusing import fuse_case
from volfuse.label.server.parameters import Name, ReaderParameters, Words

router = APIRouter(tags=["Comparisons"])
ComparisonId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class QuestionParameters(ReaderParameters):
    """Which models may be compared, and who is asked."""

    models: list[Name] = Field(default=list(QUICK_MODELS), min_length=2, max_length=10)


class AnswerParameters(ReaderParameters):
    """Which image is better, or that neither is."""

    answer: Preferred
    comment: Words = ""


@router.post("/comparison/", summary="Ask for two images to compare")
def ask(
    request: Request,
    params: QuestionParameters | None = None,
    image: Annotated[Name | None, Query()] = None,
) -> dict[str, str]:
    """Choose a case, if none is named, and two of the models by chance; which they are is told with the answer."""
    wanted = params or QuestionParameters()
    for model in wanted.models:
        application(request).infer_task(model)
    if len(set(wanted.models)) == 1:
        raise NotFound("A comparison needs two models; name another.")
    case = store(request).pair(image).name if image else _seldom_compared(request, wanted)
    name, _ = _comparisons(request).ask(case, sorted(set(wanted.models)), reader_of(request, wanted))
    return {"comparison": name, "image": case}


@router.get("/comparison/", summary="All comparisons")
def comparisons(request: Request) -> list[dict[str, Any]]:
    """Return every answer, the oldest first, then a sentence on each that is damaged."""
    known = _comparisons(request)
    return [*map(asdict, known.all()), *({"damaged": sentence} for sentence in known.faults())]


@router.get("/comparison/{comparison}", summary="What is compared")
def question(request: Request, comparison: ComparisonId) -> dict[str, str]:
    """Return the case of a comparison that waits for its answer."""
    return {"comparison": comparison, "image": _comparisons(request).question(comparison).case}


@router.get("/comparison/{comparison}/{side}", summary="Download one of the two images")
async def side(request: Request, comparison: ComparisonId, side: Side) -> FileResponse:
    """Send the image on the left or on the right; nothing in it says which model made it."""
    asked = await run_in_threadpool(_comparisons(request).question, comparison)
    await run_in_threadpool(renew_lease, request, asked.case)
    pair = await run_in_threadpool(store(request).pair, asked.case)
    model = application(request).infer_task(asked.left if side == "left" else asked.right).model
    folder = await run_in_threadpool(scratch_folder, request)
    try:
        work = fuse_case(request, pair, model, FusionOptions(), ".nii.gz", folder)
        file, _ = await unless_hung_up(request, work)
        return send_file(file, f"{asked.case}_{side}.nii.gz", is_scratch=True)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


@router.post("/comparison/{comparison}", summary="Say which image is better")
def answer(request: Request, comparison: ComparisonId, params: AnswerParameters) -> dict[str, Any]:
    """Store the answer and tell which models they were. When the answer comes, it is on the disk."""
    given = _comparisons(request).answer(
        comparison, reader_of(request, params), params.answer, params.comment
    )
    return asdict(given)


@router.get("/agreement/", summary="How far readers agree")
def agreement(request: Request) -> dict[str, Any]:
    """Return kappa of the verdicts and of the comparisons that two or more readers gave on the same images."""
    return {
        "verdicts": asdict(agreement_on_verdicts(store(request))),
        "comparisons": asdict(agreement_on_comparisons(store(request))),
    }


def _comparisons(request: Request) -> Comparisons:
    return store(request).comparisons


def _seldom_compared(request: Request, given: ReaderParameters) -> str:
    """Return one of the cases that this reader has compared least often; held-out ones too: they test the training."""
    reader = reader_of(request, given)
    counts = Counter(each.case for each in _comparisons(request).all() if each.reader == reader)
    hopeless = {verdict.case for verdict in store(request).verdicts if verdict.verdict == "cannot_judge"}
    cases = [case for case in store(request).list_images() if case not in hopeless]
    if not cases:
        raise NotFound("There is no case that can be judged.")
    fewest = min(counts[case] for case in cases)
    return random.choice([case for case in cases if counts[case] == fewest])
