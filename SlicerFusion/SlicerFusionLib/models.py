"""The models of the panel, in the order and the words in which it lists them."""

from volfuse.models import DEFAULT_MODEL, Model, catalogue


def available_models() -> dict[str, Model]:
    """Return every model that fuses two volumes by name: trained ones, the default first, then classical rules."""
    models = list(catalogue(num_sources=2).values())
    models.sort(key=lambda model: (not model.is_trained, model.name != DEFAULT_MODEL))
    return {model.name: model for model in models}


def label(model: Model) -> str:
    """Return what a list shows of a model: plain words first."""
    if not model.is_trained:
        return f"{model.title} (without training)"
    words, colon, _ = model.description.partition(": ")
    return f"{words} ({model.title})" if colon else model.title


def details(model: Model) -> str:
    """Return what the description of a model says beyond its label."""
    rest = model.description.partition(": ")[2] or model.description
    return rest[0].upper() + rest[1:]
