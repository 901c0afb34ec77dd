"""Models in memory: every one of the catalogue that fuses two scans, also those that training adds."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from volfuse.fusion.pipeline import FusionPipeline

_KEPT = 4
_AT_ONCE = 2  # more fusions side by side need more memory and are no faster

_turn = threading.BoundedSemaphore(_AT_ONCE)


@contextmanager
def loaded(name: str) -> Iterator[FusionPipeline]:
    """Yield a model in memory; waits while as many as may run at once are fusing."""
    with _turn:
        yield _load(name)


# Weights under one name never change, so what is loaded stays right.
@lru_cache(maxsize=_KEPT)
def _load(name: str) -> FusionPipeline:
    return FusionPipeline(name)
