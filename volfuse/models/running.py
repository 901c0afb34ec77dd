"""What a bundle's configuration begins with when MONAI runs it: options that exist, errors as one sentence."""

import difflib
import json
import logging
import sys
from types import TracebackType
from typing import Any, TypeVar

from monai.bundle import ConfigWorkflow
from monai.bundle.properties import InferProperties, TrainProperties
from monai.bundle.reference_resolver import ReferenceResolver
from monai.utils import BundlePropertyConfig

from volfuse.errors import TOO_LITTLE_MEMORY, FusionError, plain_cause

_OF_MONAI = {"imports", "initialize", "run", "finalize", "_meta_", "save_execute_config"}
_COMMAND = "monai.bundle"

_Caller = TypeVar("_Caller")


def begin() -> None:
    """Check the options of a run, and show its errors as sentences. The first entry of ``initialize``.

    Raises:
        FusionError: for an option that does not exist.
    """
    if getattr(sys.modules["__main__"], "__package__", None) == _COMMAND:
        _show_sentences()
    if (workflow := caller(ConfigWorkflow)) is not None:
        check_options(workflow)


def check_options(workflow: ConfigWorkflow) -> None:
    """Refuse entries that no configuration of the bundle has and nothing refers to.

    MONAI takes a misspelt option for a new entry, which has no effect.

    Raises:
        FusionError: that names the options nearest to it.
    """
    config = workflow.parser.get()
    properties = [*TrainProperties.values(), *InferProperties.values()]
    names = [str(each[BundlePropertyConfig.ID]) for each in properties]
    for file in set(workflow.config_root_path.glob("*.json")) - {workflow.config_root_path / "metadata.json"}:
        names += [name.lstrip("+") for name in json.loads(file.read_text(encoding="utf-8"))]
    known = _OF_MONAI | {ReferenceResolver.split_id(name)[0] for name in names}
    for name in config:
        if name not in known and name not in _referred_to(config):
            near = difflib.get_close_matches(name, set(config) - _OF_MONAI - {name}, n=3)
            hint = (
                f"near it are: {', '.join(near)}" if near else "options are the entries of the configuration"
            )
            raise FusionError(f"There is no option '{name}'; {hint}.")


def caller(kind: type[_Caller]) -> _Caller | None:
    """Return the object of a kind whose method is running now, further up the stack.

    MONAI tells an expression of a configuration nothing about the configuration it stands in.
    """
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if isinstance(found := frame.f_locals.get("self"), kind):
            return found
    return None


def _referred_to(config: Any) -> set[str]:
    if isinstance(config, str):
        return {ReferenceResolver.split_id(name)[0] for name in ReferenceResolver.match_refs_pattern(config)}
    parts = config.values() if isinstance(config, dict) else config if isinstance(config, list) else ()
    return set().union(*map(_referred_to, parts))


def _show_sentences() -> None:
    """Cut the traces around our own errors, in what Python and MONAI print when the command ends with one."""
    before = sys.excepthook

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        cause = plain_cause(error)
        if cause is None:
            before(kind, error, trace)
        else:
            print(f"Error: {cause if isinstance(cause, FusionError) else TOO_LITTLE_MEMORY}", file=sys.stderr)

    sys.excepthook = show
    for handler in logging.getLogger().handlers:
        handler.addFilter(_is_no_trace_of_ours)


def _is_no_trace_of_ours(record: logging.LogRecord) -> bool:
    """Leave out what engines log of an error that is shown at the end anyway."""
    return not (record.exc_info and plain_cause(record.exc_info[1]))
