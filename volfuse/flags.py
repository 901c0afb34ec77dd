"""The options of one fusion as flags of a command. No torch: help answers at once."""

from collections.abc import Callable, Sequence
from functools import wraps
from inspect import Parameter, signature
from typing import Annotated, Any

import typer

from volfuse.fusion.options import FrontEnd, Option, listed


def with_option_flags(front_end: FrontEnd) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one flag for each option of a front end in place of its parameter ``options``.

    The command gets them as a dictionary, which ``FusionOptions(**options)`` takes. A flag of an option with one entry
    for each source is in the singular and is given once for each.
    """
    return lambda command: _with_flags(command, listed(front_end))


def _with_flags(command: Callable[..., None], options: Sequence[Option]) -> Callable[..., None]:
    @wraps(command)
    def run(**arguments: Any) -> None:
        chosen = {each.name: arguments.pop(each.name) for each in options}
        command(**arguments, options=chosen)

    parameters: list[Parameter] = []
    for parameter in signature(command, eval_str=True).parameters.values():
        flags = map(_flag, options) if parameter.name == "options" else [parameter]
        parameters += [each.replace(kind=Parameter.KEYWORD_ONLY) for each in flags]
    vars(run)["__signature__"] = signature(command).replace(parameters=parameters)
    return run


def _flag(option: Option) -> Parameter:
    if option.per_source:
        name = f"--{option.per_source.singular}"
        annotation: Any = Annotated[list[str], typer.Option(name, help=option.words)]
        default: Any = list(option.default)
    else:
        annotation = Annotated[option.kind, typer.Option(help=option.words)]
        default = option.default
    return Parameter(option.name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
