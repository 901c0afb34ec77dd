"""Many cases by the ``inference.json`` of a bundle: one that cannot be fused is reported and passed over."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from monai.data import Dataset
from monai.engines import SupervisedEvaluator

from volfuse.data.cases import Case
from volfuse.errors import TOO_LITTLE_MEMORY, FusionCancelled, FusionError
from volfuse.fusion.steps import plain_errors

_logger = logging.getLogger(__name__)
_PROBLEM = "problem"


class CaseDataset(Dataset):
    """Prepared cases. One that cannot be prepared has an entry ``problem`` instead, a sentence.

    Args:
        data: what :func:`volfuse.data.cases.list_cases` found.
        keys: what ``transform`` calls the sources.
        transform: see :func:`volfuse.imaging.preprocessing`.
    """

    def __init__(
        self,
        data: Sequence[Case],
        keys: Sequence[str],
        transform: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    ) -> None:
        super().__init__(data)
        self.keys = keys
        self.prepare = transform

    def _transform(self, index: int) -> dict[str, Any]:
        case: Case = self.data[index]
        problem = case.problem
        prepared: Mapping[str, Any] = {}
        if not problem:
            sources = dict(zip(self.keys, map(str, case.sources), strict=True))
            try:
                with plain_errors():
                    prepared = self.prepare(sources)
            except Exception as error:  # whatever it is, the next case may be sound
                problem = _sentence(error)
        return {**prepared, "case": case.name} | ({_PROBLEM: problem} if problem else {})


class CaseEvaluator(SupervisedEvaluator):
    """MONAI's evaluator for a :class:`CaseDataset`, one case at a time, that goes on after a case has failed.

    Attributes:
        done: the names of the cases that were fused.
        failures: why others were not, by name.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.done: list[str] = []
        self.failures: list[tuple[str, str]] = []

    def _iteration(self, engine: SupervisedEvaluator, batchdata: dict[str, Any]) -> dict[str, Any]:
        (name,) = batchdata["case"]
        (problem,) = batchdata.get(_PROBLEM, [""])
        output: dict[str, Any] = {}
        if not problem:
            try:
                with plain_errors():
                    output = super()._iteration(engine, batchdata)
            except FusionCancelled:
                raise
            except Exception as error:  # as in the data
                problem = _sentence(error)
        if problem:
            self.logger.error("%s: %s", name, problem)
            self.failures.append((name, problem))
        else:
            self.logger.info("%s: fused", name)
            self.done.append(name)
        return output

    def raise_failures(self) -> None:
        """End with an error if a case has failed.

        Raises:
            FusionError: that names the cases.
        """
        if not self.failures:
            return
        total = len(self.done) + len(self.failures)
        if len(self.failures) == 1:
            ((name, problem),) = self.failures
            raise FusionError(f"1 of {total} cases could not be fused, {name}: {problem}")
        names = ", ".join(name for name, _ in self.failures)
        raise FusionError(
            f"{len(self.failures)} of {total} cases could not be fused: {names}; the log says why."
        )


def _sentence(error: Exception) -> str:
    if isinstance(error, FusionError):
        return str(error)
    if isinstance(error, MemoryError):
        return TOO_LITTLE_MEMORY
    _logger.error("Unexpected error:", exc_info=error)
    return f"An unexpected error: {error}"
