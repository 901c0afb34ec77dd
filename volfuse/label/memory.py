"""How much memory the server may take with its workers, and how large an image that allows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from volfuse.imaging.formats import declared_size
from volfuse.jobs import Limits
from volfuse.label.errors import TooLarge

MIB = 1 << 20
AT_REST = 1200
"""MiB that the server and its two workers hold when no image is being fused."""
DEFAULT = 2000
"""MiB in all."""
_BYTES_PER_VALUE = 12  # of a volume at the peak of a fusion; measured with 256 x 256 x 80
_FOR_PICTURES = 0.375  # of what is left
_PICTURE_VALUES = 2 * 512 * 512
_FILE_SIZE = 1 << 30
_STEP_BACK = 5


@dataclass(frozen=True)
class Memory:
    """The memory of one server.

    Args:
        total: MiB that the server with its two workers may take.
    """

    total: int = DEFAULT

    @property
    def picture_limits(self) -> Limits:
        """What the worker for pictures may take."""
        return Limits(int(self._left * _FOR_PICTURES), _FILE_SIZE)

    @property
    def volume_limits(self) -> Limits:
        """What the worker for volumes may take, and what a task in the background may: pictures go before both."""
        return Limits(int(self._left * (1 - _FOR_PICTURES)), _FILE_SIZE, _STEP_BACK)

    @property
    def most_values(self) -> int:
        """How many values the images of one fusion may have together."""
        return self.volume_limits.memory // _BYTES_PER_VALUE

    def are_pictures(self, files: Sequence[Path]) -> bool:
        """Look at the headers of images that shall be fused, and tell whether they are small.

        Raises:
            TooLarge: if fusing them takes more memory than there is.
            FusionError: if one is damaged.
        """
        values = sum(math.prod(declared_size(file).shape) for file in files)
        if values > self.most_values:
            raise TooLarge(
                f"The images of one fusion may have {self.most_values / 1e6:.0f} million values together; these have "
                f"{values / 1e6:.0f} million. Crop them, or start the server with more --memory."
            )
        return values <= _PICTURE_VALUES

    @property
    def _left(self) -> int:
        return (self.total - AT_REST) * MIB
