"""What a user should know about a fusion: what was guessed, converted, left out. Each note is a sentence.

Whoever reads or prepares a source adds notes to its ``about``; the fused image has those of all sources in
``meta["notes"]``, and front ends show them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from monai.data import MetaTensor

from volfuse.imaging.stored import About


def with_notes(image: MetaTensor, about: About, notes: Iterable[str]) -> MetaTensor:
    """Return ``image`` with what was known ``about`` it, and ``notes`` added."""
    told = replace(about, notes=(*about.notes, *notes))
    return MetaTensor(image.as_tensor(), meta={**image.meta, "about": told.to_meta()})


def notes_of(images: Sequence[MetaTensor]) -> tuple[str, ...]:
    """Return the notes of several images in their order, each once."""
    every = (note for image in images for note in About.from_meta(image.meta).notes)
    return tuple(dict.fromkeys(every))
