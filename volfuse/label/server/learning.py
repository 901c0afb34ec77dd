"""Routes about learning: the next case, scoring, training and its record."""

from dataclasses import fields
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from monailabel.utils.async_tasks.task import AsyncTask

from volfuse.label.activelearning.finetuning import FineTuning
from volfuse.label.rounds import Rounds
from volfuse.label.server.answers import application, known_model, store
from volfuse.label.server.fusing import stop_task, task_status
from volfuse.label.server.parameters import Name, SampleParameters, ScoringParameters, TrainParameters
from volfuse.label.training import training_split

router = APIRouter(tags=["Learning"])


@router.post("/activelearning/{strategy}", summary="The next case worth a look")
def next_case(request: Request, strategy: Name, params: SampleParameters | None = None) -> dict[str, Any]:
    """Return a case without a verdict; nothing when all have one."""
    if strategy not in application(request)._strategies:
        raise HTTPException(404, "There is no such strategy; ask /info/ for the list.")
    sample: dict[str, Any] = application(request).next_sample({"strategy": strategy})
    if sample:
        del sample["path"]  # where it lies on this machine is nobody's business
    return sample


@router.post("/scoring/{method}", summary="Score all cases in the background")
def score(
    request: Request, method: Name, params: ScoringParameters | None = None, run_sync: bool = False
) -> Any:
    """Fuse every case with some models and store a score for the strategies."""
    if method not in application(request)._scoring_methods:
        raise HTTPException(404, "There is no such scoring method; ask /info/ for the list.")
    models = params.models if params else None
    for model in models or []:
        known_model(request, model)
    return _run("scoring", {"method": method, "models": models}, run_sync, enqueue=True)


@router.get("/scoring/", summary="How far the scoring is")
def scoring_status(all: bool = False, check_if_running: bool = False) -> Any:
    """Return the last scoring, or all."""
    return task_status("scoring", all, check_if_running)


@router.delete("/scoring/", summary="Stop the scoring")
def stop_scoring() -> Any:
    """Stop the scoring; scores that are there stay."""
    return stop_task("scoring")


@router.post("/train/{model}", summary="Fine-tune a model on the reviewed cases in the background")
def train(
    request: Request, model: Name, params: TrainParameters | None = None, run_sync: bool = False
) -> Any:
    """Begin a round of training; new weights are published only if the held-out cases come out better."""
    known_model(request, model)
    if model not in application(request)._trainers:
        raise HTTPException(404, "This model has nothing to learn; choose a trained one.")
    if Rounds(application(request).layout.rounds).is_busy:
        raise HTTPException(429, "Another round of training is running; wait for its end.")
    training_split(store(request))
    wanted = params or TrainParameters()
    names = {field.name for field in fields(FineTuning)}
    work = {"model": model, "settings": wanted.model_dump(include=names), "reader": wanted.reader}
    return _run("train", work, run_sync)


@router.get("/train/", summary="How far the training is")
def train_status(all: bool = False, check_if_running: bool = False) -> Any:
    """Return the last training with its last lines, or all."""
    return task_status("train", all, check_if_running)


@router.delete("/train/", summary="Stop the training")
def stop_training() -> Any:
    """Stop the training; nothing is published."""
    return stop_task("train")


@router.get("/rounds/", summary="Every round of training")
def rounds(request: Request) -> list[dict[str, Any]]:
    """Return what was trained, by whom, on what, and what it changed on the held-out cases."""
    layout = application(request).layout
    records = Rounds(layout.rounds)
    records.repair_if_idle(layout.models)
    return records.all()


def _run(method: str, work: dict[str, Any], run_sync: bool, enqueue: bool = False) -> Any:
    answer, busy = AsyncTask.run(method, request=work, force_sync=run_sync, enqueue=enqueue)
    if answer is None:
        raise HTTPException(429, busy)
    return answer
