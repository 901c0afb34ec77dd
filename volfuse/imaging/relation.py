"""How two images lie on each other, and what a user should know of it before they are fused."""

from dataclasses import dataclass

import torch
from monai.data import MetaTensor

from volfuse.imaging.files import source_name
from volfuse.imaging.stored import About

LITTLE_OVERLAP = 0.5
"""Below this share of both, two images are unlikely to lie as they should."""
_WHOLE = 0.995


@dataclass(frozen=True)
class Relation:
    """How a source lies on the grid of a reference.

    Attributes:
        source: its name.
        reference: its name.
        same_size: whether both have as many voxels along each axis.
        placed: how many of the two have a position in space.
        same_grid: whether their voxels lie on each other, one by one.
        covered: the part of the reference's grid that lies inside the source, 0..1; 1 without positions.
        inside: the part of the source's grid that lies inside the reference, 0..1; 1 without positions.
        same_frame: whether they share a frame of reference; ``None`` where one of them names none.
    """

    source: str
    reference: str
    same_size: bool
    placed: int
    same_grid: bool
    covered: float
    inside: float
    same_frame: bool | None

    @property
    def refusal(self) -> str:
        """Why the two cannot be fused, in one sentence; empty if they can."""
        if self.placed < 2 and not self.same_size:
            return (
                f"{self.source} and {self.reference} have different sizes and at least one of them has no position in "
                "space; give images of one size, or files with geometry."
            )
        # A thin source can slip between the samples of a large reference, and the other way round.
        if self.covered == self.inside == 0:
            return f"{self.source} and {self.reference} do not overlap in space; they need to be registered first."
        return ""

    @property
    def notes(self) -> tuple[str, ...]:
        """What to tell the user: resampling, little overlap, another frame of reference; a sentence each."""
        if self.refusal:
            return ()
        notes = []
        if self.placed == 1:
            notes.append(
                f"Only one of {self.reference} and {self.source} has a position in space; "
                "they are taken to lie on each other."
            )
        if self.same_frame is False:
            notes.append(
                f"{self.source} and {self.reference} have different frames of reference; "
                "their positions agree only if they were registered."
            )
        if not self.same_grid:
            covers = "" if self.covered > _WHOLE else f" and covers {self.covered:.0%} of it"
            notes.append(f"{self.source} is resampled onto the grid of {self.reference}{covers}.")
        if max(self.covered, self.inside) < LITTLE_OVERLAP:
            notes.append(
                f"{self.source} and {self.reference} overlap little ({self.inside:.0%} of the first, "
                f"{self.covered:.0%} of the second); check their positions, or register them first."
            )
        return tuple(notes)


def relate(source: MetaTensor, reference: MetaTensor) -> Relation:
    """Return how a source (C, X, Y, Z) lies on a reference (C, X, Y, Z), each with the metadata of ``read_image``."""
    frames = [About.from_meta(image.meta).frame_of_reference for image in (source, reference)]
    placed = _placed(source, reference)
    same_grid = on_same_grid(source, reference)
    has_distance = placed == 2 and not same_grid
    return Relation(
        source=source_name(source),
        reference=source_name(reference),
        same_size=source.shape[1:] == reference.shape[1:],
        placed=placed,
        same_grid=same_grid,
        covered=overlap_fraction(source, reference) if has_distance else 1.0,
        inside=overlap_fraction(reference, source) if has_distance else 1.0,
        same_frame=frames[0] == frames[1] if all(frames) else None,
    )


def overlap_fraction(source: MetaTensor, reference: MetaTensor) -> float:
    """Return the part of the reference grid (C, H, W, D) that lies inside ``source``, 0..1, from 40³ samples."""
    axes = [torch.linspace(0, size - 1, min(size, 40), dtype=torch.float64) for size in reference.shape[1:]]
    points = torch.stack([*torch.meshgrid(*axes, indexing="ij"), torch.ones([len(axis) for axis in axes])])
    to_source = torch.linalg.inv(source.affine) @ reference.affine
    index = (to_source @ points.flatten(1))[:3]
    last = torch.tensor(source.shape[1:], dtype=torch.float64)[:, None] - 0.5
    inside = ((index >= -0.5) & (index <= last)).all(0)
    return float(inside.double().mean())


def on_same_grid(source: MetaTensor, reference: MetaTensor) -> bool:
    """Tell whether the voxels of two images of one size lie on each other, to a thousandth of a voxel.

    Without positions they are taken to.
    """
    if source.shape[1:] != reference.shape[1:]:
        return False
    spacing = source.affine[:3, :3].norm(dim=0).min()
    apart = (source.affine - reference.affine).abs().max()
    return _placed(source, reference) < 2 or bool(apart < 1e-3 * spacing)


def _placed(*images: MetaTensor) -> int:
    return sum(bool(image.meta["has_geometry"]) for image in images)
