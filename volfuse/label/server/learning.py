"""Routes about learning: the next case, scoring, training and its record."""

from dataclasses import fields
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool

from volfuse.label.activelearning.finetuning import FineTuning
from volfuse.label.rounds import Rounds
from volfuse.label.server.answers import application, reader_of, store
from volfuse.label.server.parameters import Name, SampleParameters, ScoringParameters, TrainParameters
from volfuse.label.server.tasks import tasks_of
from volfuse.label.training import training_split

router = APIRouter(tags=["Learning"])


@router.post("/activelearning/{strategy}", summary="The next case to judge")
def next_case(request: Request, strategy: Name, params: SampleParameters | None = None) -> dict[str, Any]:
    """Return a case without a verdict, and keep it for this reader for a while; nothing when all have one."""
    application(request).strategy(strategy)
    wanted = params or SampleParameters()
    work = {"strategy": strategy, "reader": reader_of(request, wanted), "readings": wanted.readings}
    sample: dict[str, Any] = application(request).next_sample(work)
    if sample:
        del sample["path"]  # a path on this machine is not for clients
    return sample


@router.post("/scoring/{method}", summary="Score all cases in the background")
async def score(
    request: Request, method: Name, params: ScoringParameters | None = None, run_sync: bool = False
) -> Any:
    """Fuse every case with some models and store a score for the strategies."""
    application(request).scoring_method(method)
    models = params.models if params else None
    for model in models or []:
        application(request).infer_task(model)
    work = {"method": method, "models": models}
    return await tasks_of(request).begin("scoring", work, request if run_sync else None, enqueue=True)


@router.post("/train/{model}", summary="Fine-tune a model on the reviewed cases in the background")
async def train(
    request: Request, model: Name, params: TrainParameters | None = None, run_sync: bool = False
) -> Any:
    """Begin a round of training; new weights are published only if the held-out cases come out better."""
    application(request).trainer(model)
    await run_in_threadpool(Rounds(application(request).layout.rounds).check_idle)
    await run_in_threadpool(training_split, store(request))
    wanted = params or TrainParameters()
    names = {field.name for field in fields(FineTuning)}
    work = {
        "model": model,
        "settings": wanted.model_dump(include=names),
        "reader": reader_of(request, wanted),
    }
    return await tasks_of(request).begin("train", work, request if run_sync else None)


@router.get("/rounds/", summary="Every round of training")
def rounds(request: Request) -> list[dict[str, Any]]:
    """Return what was trained, by whom, on what, and what it changed on the held-out cases."""
    layout = application(request).layout
    records = Rounds(layout.rounds)
    records.repair_if_idle(layout.models)
    return records.all()
