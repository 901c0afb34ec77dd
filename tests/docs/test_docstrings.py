"""The examples in docstrings give what stands below them."""

import doctest
from importlib import import_module

import pytest
import torch

from volfuse.resources import PACKAGE

MODULES = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_hold(name: str) -> None:
    failed, _ = doctest.testmod(import_module(name), extraglobs={"torch": torch})
    assert failed == 0
