"""A volume whose header was read and whose voxels were not, whatever its format."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from volfuse.errors import FusionError
from volfuse.imaging.formats.declared import Declared
from volfuse.imaging.formats.packed import Packed
from volfuse.imaging.formats.refusals import elsewhere, four_dimensional
from volfuse.imaging.formats.streams import open_regular
from volfuse.imaging.stored import About, NiftiForms, StoredImage


@dataclass(frozen=True)
class VolumeFile:
    """What the header of a file says.

    Attributes:
        path: the file, for messages.
        packed: where its voxels are.
        affine: 4x4, voxel index to RAS mm.
        components: the axis of ``packed`` that holds the components of a voxel, if there is one.
        dimension: 2 or 3.
        is_label_map: whether the file says so.
        slope: what stored numbers are multiplied by.
        intercept: what is added then.
        about: what else it says.
        forms: its position in the words of NIfTI.
    """

    path: Path
    packed: Packed
    affine: np.ndarray
    components: int | None = None
    dimension: int = 3
    is_label_map: bool = False
    slope: float = 1.0
    intercept: float = 0.0
    about: About = field(default_factory=About)
    forms: NiftiForms | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Return (X, Y, Z) or (X, Y, Z, components).

        Raises:
            FusionError: if the file holds several volumes.
        """
        axes = list(self.packed.shape)
        components = [] if self.components is None else [axes.pop(self.components)]
        for length in axes[3:]:
            if length > 1:
                raise four_dimensional(self.path, length)
        return (*[*axes, 1, 1][:3], *(length for length in components if length > 1))

    def declared(self) -> Declared:
        """Return how large the image is.

        Raises:
            FusionError: if there are several volumes, or the file cannot hold what its header says.
        """
        self.packed.check()
        is_scaled = (self.slope, self.intercept) != (1.0, 0.0)
        return Declared(self.about.format, self.shape, np.dtype(float) if is_scaled else self.packed.dtype)

    def read(self) -> StoredImage:
        """Return the image, in the type it is stored in, or float64 if its numbers are scaled.

        Raises:
            FusionError: if there are several volumes, or the file is damaged or cannot hold what its header says.
        """
        shape = self.shape
        voxels = self.packed.read()
        if self.components is not None:
            voxels = np.moveaxis(voxels, self.components, -1)
        voxels = voxels.reshape(shape)
        if (self.slope, self.intercept) != (1.0, 0.0):
            voxels = voxels * self.slope + self.intercept
        return StoredImage(
            voxels, self.affine, self.dimension, self.is_label_map, about=self.about, forms=self.forms
        )


def neighbour(header: Path, names: Sequence[str]) -> Path:
    """Return the first of ``names`` that is there beside a header: the file its voxels are in.

    Raises:
        FusionError: if a name is more than the name of a file, or none is a file of its own in the same folder.
    """
    for name in names:
        if not name or Path(name).name != name or "\\" in name or name in (".", ".."):
            raise elsewhere(header)
        path = header.with_name(name)
        if path.exists() or path.is_symlink():
            open_regular(path, follow=False).close()
            return path
    raise FusionError(f"{header.name} keeps its voxels in {names[0]}, which is not beside it.")
