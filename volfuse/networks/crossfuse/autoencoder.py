"""The first stage of CrossFuse: one auto-encoder per kind of image, whose encoder the fusion network takes over."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from volfuse.errors import FusionError

MINIMUM_SIZE = 16
SHALLOW_CHANNELS = 32
DEEP_CHANNELS = 128


class DenseBlock(nn.Module):
    """Three 3x3 convolutions that get all features before them, and one that merges: (B, C, H, W) -> (B, 128, H, W)."""

    growth = 64
    depth = 3

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            reflect_conv(in_channels + number * self.growth, self.growth) for number in range(self.depth)
        )
        self.adjust = reflect_conv(in_channels + self.depth * self.growth, DEEP_CHANNELS)

    def forward(self, features: Tensor) -> Tensor:
        for layer in self.layers:
            features = torch.cat([features, layer(features)], dim=1)
        return self.adjust(features)


class DenseEncoder(nn.Module):
    """Image (B, 1, H, W) -> shallow (B, 32, H, W) and deep features (B, 128, H // 8, W // 8).

    Max pooling is the only nonlinearity, as in the published code.

    Raises:
        FusionError: if the image is smaller than 16x16.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = reflect_conv(1, SHALLOW_CHANNELS)
        self.blocks = nn.Sequential(
            nn.MaxPool2d(2),
            DenseBlock(SHALLOW_CHANNELS),
            nn.MaxPool2d(2),
            DenseBlock(DEEP_CHANNELS),
            nn.MaxPool2d(2),
        )

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        height, width = image.shape[-2:]
        if min(height, width) < MINIMUM_SIZE:
            raise FusionError(
                f"CrossFuse needs images of at least {MINIMUM_SIZE}x{MINIMUM_SIZE} pixels, not {height}x{width}; "
                "choose another model for such small ones."
            )
        # In bfloat16 the rounding of flat regions would look like detail to the skip connections.
        with torch.autocast(image.device.type, enabled=False):
            shallow = self.stem(image.to(self.stem.weight.dtype))
        return shallow, self.blocks(shallow)


class CrossFuseAutoEncoder(nn.Module):
    """Reconstruct one image (B, 1, H, W), H and W at least 16, from its shallow and deep features.

    The output is linear; nothing keeps it in 0..1 while it is trained.
    """

    num_sources = 1

    def __init__(self) -> None:
        super().__init__()
        self.encoder = DenseEncoder()
        self.decoder = upsampler(reflect_conv)
        self.output = nn.Conv2d(SHALLOW_CHANNELS, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        shallow, deep = self.encoder(image)
        return self.output(reflect_to(self.decoder(deep), shallow.shape[-2:]) + shallow)


def reflect_conv(in_channels: int, out_channels: int) -> nn.Conv2d:
    """3x3 convolution that keeps the size and reflects the border."""
    return nn.Conv2d(in_channels, out_channels, 3, padding=1, padding_mode="reflect")


def upsampler(conv: Callable[[int, int], nn.Module]) -> nn.Sequential:
    """Return ``conv`` three times, each doubling the size after it: (B, 128, h, w) -> (B, 32, 8h, 8w)."""
    return nn.Sequential(
        conv(DEEP_CHANNELS, 64),
        nn.Upsample(scale_factor=2),
        conv(64, 64),
        nn.Upsample(scale_factor=2),
        conv(64, SHALLOW_CHANNELS),
        nn.Upsample(scale_factor=2),
    )


def reflect_to(features: Tensor, size: Sequence[int]) -> Tensor:
    """Give back, by reflection, the up to seven rows and columns that three poolings dropped: ``size`` is (H, W)."""
    rows, columns = size[0] - features.shape[-2], size[1] - features.shape[-1]
    sides = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
    return F.pad(features, sides, mode="reflect")
