"""What makes an image unfit for fusion, said in one sentence."""

import numpy as np

from volfuse.errors import FusionError
from volfuse.imaging.stored import StoredImage

_FEWEST_GREY_LEVELS = 8  # an image of fewer whole numbers is taken for a label map


def check_content(name: str, stored: StoredImage) -> None:
    """Refuse an image of which nothing can be fused; ``name`` is for the message.

    Raises:
        FusionError: if it is empty, complex, nowhere, not finite, constant, or a label map.
    """
    voxels = stored.voxels
    if not voxels.size:
        raise FusionError(f"{name} holds no voxels; choose another image.")
    if np.iscomplexobj(voxels):
        raise FusionError(f"{name} holds complex numbers; save their magnitude as an image first.")
    spacing = np.linalg.norm(stored.affine[:3, :3], axis=0)
    if not np.isfinite(stored.affine).all() or abs(np.linalg.det(stored.affine)) <= 1e-9 * spacing.prod():
        raise FusionError(
            f"{name} has no valid position in space (its affine is singular); repair its header."
        )
    low, high = voxels.min(), voxels.max()
    if not (np.isfinite(low) and np.isfinite(high)):  # one NaN is enough to make both NaN
        raise FusionError(
            f"{name} holds {(~np.isfinite(voxels)).sum()} NaN or infinite voxels; replace them, "
            "for example by the background value."
        )
    if low == high:
        raise FusionError(f"{name} has the value {low:g} everywhere; there is nothing to fuse.")
    if stored.is_label_map:
        raise FusionError(f"{name} is a label map; choose an image.")
    # A sample settles it for most images; only a suspect is counted in full.
    sample = voxels.ravel(order="K")[:: voxels.size // 4096 + 1]
    if voxels.ndim == 3 and len(np.unique(sample)) < _FEWEST_GREY_LEVELS:
        levels = np.unique(voxels)
        if len(levels) < _FEWEST_GREY_LEVELS and (levels == levels.astype(int)).all():
            raise FusionError(
                f"{name} has only {len(levels)} different values, all whole numbers, "
                "and looks like a label map; choose an image."
            )


TRANSPARENT = "{} has transparent voxels; they are read as opaque."


def transparency_lost(name: str, voxels: np.ndarray) -> tuple[str, ...]:
    """Say that an image (X, Y, Z) or (X, Y, Z, components) has transparent voxels, which are read as opaque."""
    has_alpha = voxels.ndim == 4 and voxels.shape[-1] in (2, 4)
    if not has_alpha or voxels[..., -1].min() == voxels[..., -1].max():
        return ()
    return (TRANSPARENT.format(name),)


def without_alpha(name: str, voxels: np.ndarray) -> np.ndarray:
    """Return (X, Y, Z, 1), or (X, Y, Z, 3) for 8-bit colour, of voxels (X, Y, Z, components).

    Raises:
        FusionError: if the components are no colour.
    """
    components = voxels.shape[-1]
    if components == 1:
        return voxels
    if components > 4 or voxels.dtype != np.uint8:
        raise FusionError(
            f"{name} has {components} components of type {voxels.dtype} per voxel; "
            "only grey and 8-bit RGB images can be fused."
        )
    return voxels[..., :1] if components == 2 else voxels[..., :3]
