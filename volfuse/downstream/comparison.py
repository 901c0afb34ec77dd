"""The same classification from every single source and from the images that models fuse of them."""

from collections.abc import Callable, Sequence

import torch

from volfuse.downstream.cases import LabelledCase
from volfuse.downstream.classification import Scores, cross_validate, mean_and_deviation
from volfuse.downstream.descriptors import orientation_histograms
from volfuse.fusion.pipeline import FusionPipeline


def compare(
    cases: Sequence[LabelledCase],
    models: Sequence[str],
    folds: int = 5,
    device: str = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, list[Scores]]:
    """Classify the cases by each of their sources alone and by what each model fuses.

    Args:
        cases: see ``read_cases``.
        models: names in the catalogue.
        folds: of the cross-validation.
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ...
        progress: called as ``progress(fusions_done, fusions_in_all)``.

    Returns:
        The scores of every fold by input: ``"source 0"``, ``"source 1"``, ..., then the models.

    Raises:
        FusionError: if a model does not fuse as many sources, or a class has too few cases.
    """
    labels = [case.label for case in cases]
    sources: list[torch.Tensor] = []
    fused: dict[str, list[torch.Tensor]] = {}
    for done, model in enumerate(models):
        pipeline = FusionPipeline(model, device)
        fused[model] = []
        for number, case in enumerate(cases, start=1):
            result = pipeline.fuse_case(case.sources)
            fused[model].append(orientation_histograms(result.fused.as_tensor().movedim(-1, 0)))
            if done == 0:  # every model sees the same sources
                planes = result.sources.as_tensor()[..., 0].unsqueeze(1)
                sources.append(orientation_histograms(planes))
            if progress:
                progress(done * len(cases) + number, len(models) * len(cases))
    single = torch.stack(sources)
    descriptors = {f"source {index}": single[:, index] for index in range(single.shape[1])}
    descriptors |= {model: torch.cat(rows) for model, rows in fused.items()}
    return {name: cross_validate(values.numpy(), labels, folds) for name, values in descriptors.items()}


def markdown(results: dict[str, list[Scores]]) -> str:
    """Return a table of means and standard deviations over the folds, a row per input."""
    rows = {name: mean_and_deviation(scores) for name, scores in results.items()}
    measures = list(next(iter(rows.values())))
    lines = [f"| input | {' | '.join(measures)} |", "|---" * (len(measures) + 1) + "|"]
    for name, row in rows.items():
        cells = " | ".join(f"{mean:.3f} ± {deviation:.3f}" for mean, deviation in row.values())
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines)
