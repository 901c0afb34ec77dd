"""OKLab, a colour space whose hue and chroma are those that one sees.

Björn Ottosson, "A perceptual color space for image processing", 2020 (https://bottosson.github.io/posts/oklab), with
the matrices of 2021-01-25; the transfer curve of sRGB is that of IEC 61966-2-1.
"""

import torch
from torch import Tensor

_CONES = torch.tensor(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    dtype=torch.float64,
)
_OPPONENTS = torch.tensor(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ],
    dtype=torch.float64,
)
# By inversion, not as printed: the printed inverses are rounded, and a round trip would lose its last digits.
CONES_TO_LIGHT = torch.linalg.inv(_CONES)
AB_TO_CONE_ROOTS = torch.linalg.inv(_OPPONENTS)[:, 1:]  # the column of L is 1

# Where the straight start of the transfer curve ends, in linear light and in values of sRGB.
_DARK, _DARK_VALUE = 0.0031308, 0.04045


def rgb_to_oklab(rgb: Tensor) -> Tensor:
    """Convert sRGB (3, ...) 0..1 to L 0..1, a and b (within -0.4..0.4), same shape."""
    cones = mix(_CONES, decode(rgb))
    return mix(_OPPONENTS, cones.clamp_min(0) ** (1 / 3))


def decode(values: Tensor) -> Tensor:
    """Turn values of sRGB 0..1 into linear light 0..1."""
    # A sum of both parts of the curve: torch chooses between two tensors slower than it computes either.
    straight = values.clamp_max(_DARK_VALUE) / 12.92
    bent = ((values.clamp_min(_DARK_VALUE) + 0.055) / 1.055) ** 2.4
    light: Tensor = straight + (bent - ((_DARK_VALUE + 0.055) / 1.055) ** 2.4).clamp_min(0)
    return light


def encode(light: Tensor) -> tuple[Tensor, Tensor]:
    """Invert :func:`decode`; also return its slope, to 2 % in the darkest 0.3 % of light.

    The straight start goes on below 0.
    """
    bright = light.clamp_min(_DARK)
    bent = 1.055 * bright ** (1 / 2.4)
    values = 12.92 * light.clamp_max(_DARK) + (bent - 1.055 * _DARK ** (1 / 2.4))
    return values, bent / (2.4 * bright)


def mix(matrix: Tensor, planes: Tensor) -> Tensor:
    """Multiply a matrix (M, N) with every colour of ``planes`` (N, ...); returns (M, ...)."""
    mixed: Tensor = torch.tensordot(matrix.to(planes), planes, 1)
    return mixed
