"""Do two volumes look registered where their files place them? Said with what it rests on, or not said."""

from dataclasses import dataclass
from typing import cast

from monai.data import MetaTensor

from volfuse.errors import FusionError
from volfuse.imaging.files import source_name
from volfuse.registration.coarse import AS_GOOD, Look, look, mirror_note
from volfuse.registration.volumes import luminance

NEAR, FAR = 3.0, 7.0
"""What a coarse registration moves volumes by at most that are registered, and at least if they are not, mm."""
MORE = 0.25
"""What it adds at least, as a share, to what volumes share that are not registered. Where it adds nothing, they are."""


@dataclass(frozen=True)
class Verdict:
    """Whether two volumes look registered.

    Attributes:
        registered: ``None`` where that cannot be told.
        mirrored: whether the second fits as well or better with left and right exchanged; ``None`` likewise.
        distance: how far a coarse registration moves the second, mm; ``None`` likewise.
        sentence: all of it for the user.
    """

    registered: bool | None
    mirrored: bool | None
    distance: float | None
    sentence: str


def registered(reference: MetaTensor, second: MetaTensor) -> Verdict:
    """Look at two images (C, X, Y, Z) with the metadata of ``read_image``, and say whether they look registered."""
    unclear = "Whether they are registered cannot be told"
    try:
        seen = look(*(luminance(cast(MetaTensor, image.float())) for image in (reference, second)))
    except FusionError as error:
        return Verdict(None, None, None, f"{unclear}: {error}")
    if seen is None:
        return Verdict(None, None, None, f"{unclear}: too little of them overlaps.")
    names = source_name(second), source_name(reference)
    moves = f"a coarse registration moves {names[0]} by {seen.distance:.1f} mm"
    adds = f"and adds {max(seen.gain, 0):.0%} to what they share"
    says = is_registered(seen)
    sentence = {
        True: f"They look registered: {moves} {adds}.",
        False: f"They do not look registered: {moves} {adds}; register them first.",
        None: f"{unclear}: {moves} {adds}; look at both.",
    }[says]
    is_mirrored = seen.mirrored >= AS_GOOD
    if is_mirrored:
        sentence += f" {mirror_note(*names)}"
    return Verdict(says, is_mirrored, round(seen.distance, 1), sentence)


def is_registered(seen: Look) -> bool | None:
    """Return what a look comes to; ``None`` where it does not tell."""
    if seen.distance <= NEAR or seen.gain <= 0:
        return True
    return False if seen.distance >= FAR and seen.gain >= MORE else None
