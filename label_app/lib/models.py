"""Models in memory: every one of the catalogue that fuses two scans, also those that training adds."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from volfuse.catalogue import Model, catalogue
from volfuse.pipeline import FusionPipeline

_KEPT = 4
_AT_ONCE = 2  # more fusions side by side need more memory and are no faster

_turn = threading.BoundedSemaphore(_AT_ONCE)


def models_for_pairs() -> dict[str, Model]:
    """Return the models that fuse two scans, by name."""
    return {name: model for name, model in catalogue().items() if model.num_sources in (None, 2)}


@contextmanager
def loaded(name: str) -> Iterator[FusionPipeline]:
    """Lend a model; waits while enough others are fusing."""
    with _turn:
        yield _load(name)


# Weights under one name never change, so what is loaded stays right.
@lru_cache(maxsize=_KEPT)
def _load(name: str) -> FusionPipeline:
    return FusionPipeline(name)
