"""The models of the panel, in the order and the words in which it lists them."""

from volfuse.listing import ListedModel, listing

_PREFERRED = ("volfuse", "lightfusionnet")


def available_models() -> dict[str, ListedModel]:
    """Return every model that fuses two volumes by name: trained ones, the preferred first, then classical rules."""
    models = [model for model in listing().values() if model.num_sources in (2, None)]
    models.sort(key=lambda model: (not model.is_trained, _rank(model.name)))
    return {model.name: model for model in models}


def label(model: ListedModel) -> str:
    """Return what a list shows of a model: plain words first."""
    if not model.is_trained:
        return f"{model.title} (without training)"
    words, colon, _ = model.description.partition(": ")
    return f"{words} ({model.title})" if colon else model.title


def details(model: ListedModel) -> str:
    """Return what the description of a model says beyond its label."""
    rest = model.description.partition(": ")[2] or model.description
    return rest[0].upper() + rest[1:]


def _rank(name: str) -> int:
    return _PREFERRED.index(name) if name in _PREFERRED else len(_PREFERRED)
