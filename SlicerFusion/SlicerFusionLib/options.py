"""The options of one fusion as parameters of the panel; ``volfuse.fusion.options`` lists them."""

from enum import Enum
from typing import Annotated, Any

from slicer.parameterNodeWrapper import WithinRange

from SlicerFusionLib.choices import Choice
from volfuse.fusion.options import Option, listed

OPTIONS = listed("panel")


def _parameter(option: Option) -> tuple[Any, Any]:
    """Return the type and the default of the parameter that holds an option."""
    if option.choices:
        members = [(text.upper().replace("-", "_"), (text, text.capitalize())) for text in option.choices]
        choice = Choice(option.name.title(), members)
        return choice, choice(option.default)
    bounds = option.bounds and WithinRange(*option.bounds)
    return Annotated[option.kind, bounds] if bounds else option.kind, option.default


_PARAMETERS = {option.name: _parameter(option) for option in OPTIONS}

OptionParameters = type(
    "OptionParameters",
    (),
    {
        "__doc__": "One annotated attribute for each option, from which the parameters of the panel inherit.",
        "__module__": __name__,
        "__annotations__": {name: kind for name, (kind, _) in _PARAMETERS.items()},
        **{name: default for name, (_, default) in _PARAMETERS.items()},
    },
)


def chosen_options(parameters: object) -> dict[str, Any]:
    """Return what the parameters hold of the options, by name."""
    values = {option.name: getattr(parameters, option.name) for option in OPTIONS}
    return {name: value.value if isinstance(value, Enum) else value for name, value in values.items()}
