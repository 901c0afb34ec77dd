"""The one chain from files to luminance and back, which every bundle names in its configurations.

``LoadSourcesd -> OrientSlicesd -> ApplyWindowsd -> MatchReferenced -> SplitLuminanced``, then the inferer, then
``RestoreColord -> RestoreGridd -> SaveFusedd``. What stands between orientation and storage works on some slices at a
time just as well, see ``volfuse.imaging.slabs``.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from monai.transforms import Compose, EnsureTyped, SelectItemsd, SqueezeDimd, Transform

from volfuse.choices import Color, Colormap, Plane
from volfuse.imaging.files import SaveFusedd
from volfuse.imaging.grid import MatchReferenced, OrientSlicesd, RestoreGridd
from volfuse.imaging.luminance import RestoreColord, SplitLuminanced
from volfuse.imaging.sources import LoadSourcesd
from volfuse.imaging.stored import Reading
from volfuse.imaging.windows import ApplyWindowsd, Windows


def preprocessing(
    sources: Sequence[str],
    plane: Plane = "axial",
    windows: Windows = "auto",
    colormaps: Sequence[Colormap | np.ndarray | None] | None = None,
    readings: Sequence[Reading] | None = None,
) -> Compose:
    """Return the way from files to what a network sees.

    Args:
        sources: keys of the image files; the first is the reference.
        plane: the slices, see :class:`OrientSlicesd`.
        windows: see :class:`ApplyWindowsd`.
        colormaps: see :class:`SplitLuminanced`.
        readings: see :class:`LoadSourcesd`.

    Returns:
        A transform of ``{key: file}``, or what else ``as_image`` takes, into ``image`` (N, H, W, D), luminance 0..1,
        and, with a coloured source, ``color`` (3, H, W, D).

    Raises:
        FusionError: for an unknown plane, window or colour map, or a number of them that does not fit.
    """
    return Compose(
        [
            LoadSourcesd(sources, readings),
            OrientSlicesd(sources, plane),
            ApplyWindowsd(sources, windows),
            MatchReferenced(sources),
            SplitLuminanced(sources, colormaps),
        ]
    )


def slice_transforms(
    sources: Sequence[str],
    plane: Plane = "axial",
    windows: Windows = "auto",
    colormaps: Sequence[Colormap | np.ndarray | None] | None = None,
) -> list[Transform]:
    """Return the steps of :func:`preprocessing`, and then those that leave what training needs of one slice.

    That is ``image`` (N, H, W), without metadata, and ``task`` and ``name`` if they are there. They come as a list:
    MONAI's ``CacheDataset`` takes a ``Compose`` inside another for random and would read all files in every epoch.
    """
    return [
        *preprocessing(sources, plane, windows, colormaps).transforms,
        SelectItemsd(["image", "task", "name"], allow_missing_keys=True),
        SqueezeDimd("image", dim=-1),
        EnsureTyped("image", track_meta=False),
    ]


def postprocessing(
    color: Color = "gamut", output_dir: str | Path | None = None, suffix: str = ".nii.gz"
) -> Compose:
    """Return the way back from what a network returns to an image file.

    Args:
        color: how the colour of the sources comes back, see :class:`RestoreColord`.
        output_dir: where the fused image is written; nothing is written without one.
        suffix: of the file, which tells its format.

    Returns:
        A transform that makes ``pred``, luminance (1, H, W, D) 0..1, a uint8 image (1, X, Y, Z) or, where ``color`` is
        in the dictionary, (3, X, Y, Z), on the grid of the reference.

    Raises:
        FusionError: for another ``color``.
    """
    save = [] if output_dir is None else [SaveFusedd("pred", output_dir, suffix)]
    return Compose([RestoreColord("pred", color), RestoreGridd("pred"), *save])
