"""Convolutional blocks of TAFIE: dynamic convolution, edges, residual block, entropy-guided attention."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from volfuse.numerics.sobel import sobel

# Keeps the gradient of the square root finite where an image is flat.
_EDGE_EPSILON = 1e-6

# Values that :func:`chunk_by_chunk` works on at once: eleven sources of 800x800 have 680 million.
_CHUNK_VALUES = 2**24


def chunk_by_chunk(layer: Callable[[Tensor], Tensor], features: Tensor) -> Tensor:
    """Apply a layer that treats every pixel by itself to a part of the image at a time, which needs little memory.

    Args:
        layer: (B, C, ...) -> (B, D, ...).
        features: (B, C, ...); what is divided is the dimension after the channels.

    Returns:
        What ``layer(features)`` returns.
    """
    if torch.jit.is_tracing():  # A trace would be good for this number of chunks only.
        return layer(features)
    length = max(1, _CHUNK_VALUES * features.shape[2] // features.numel())
    return torch.cat([layer(chunk) for chunk in features.split(length, dim=2)], dim=2)


class DynamicConv(nn.Module):
    """Blend a 3x3 and a 5x5 convolution of one image by a gate that sees its mean brightness, then ReLU.

    ``gate = softmax(linear(mean(x)))``, ``y = relu(gate[0] * conv3x3(x) + gate[1] * conv5x5(x))``;
    (B, 1, H, W) -> (B, C, H, W). The gate is one for the whole image: crops give other values.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fine = nn.Conv2d(1, channels, 3, padding=1)
        self.coarse = nn.Conv2d(1, channels, 5, padding=2)
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(1, 2), nn.Softmax(dim=1))

    def forward(self, image: Tensor) -> Tensor:
        fine, coarse = self.gate(image)[..., None, None, None].unbind(1)
        return torch.relu(fine * self.fine(image) + coarse * self.coarse(image))


class EdgeEncoder(nn.Module):
    """Fixed Sobel gradient magnitude of one image, then a learned 3x3 convolution: (B, 1, H, W) -> (B, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.embed = nn.Conv2d(1, channels, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        horizontal, vertical = sobel(image)
        return self.embed((horizontal.square() + vertical.square() + _EDGE_EPSILON).sqrt())


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch normalisation around a skip connection (He et al. 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        return torch.relu(features + self.body(features))


def channel_entropy(features: Tensor) -> Tensor:
    """Shannon entropy in nats of the softmax over the channels, at every pixel.

    Args:
        features: (B, C, H, W), any range.

    Returns:
        (B, 1, H, W), float32 whatever the precision of ``features``: 0 where one channel stands out, log(C) where
        all are equal. The published ``-sum p log(p + 1e-6)`` is lower by at most ``C * 1e-6``.
    """
    features = features.float()
    log_probabilities = features - features.logsumexp(dim=1, keepdim=True)
    return -(log_probabilities.exp() * log_probabilities).sum(dim=1, keepdim=True)


class EntropyAttention(nn.Module):
    """Refine features, most where no channel stands out.

    ``y = x + conv1x1(relu(conv1x1(x * entropy(x))))``, (B, C, H, W) -> (B, C, H, W). Large images are
    taken a few rows at a time.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.refine = nn.Sequential(
            nn.Conv2d(channels, channels, 1), nn.ReLU(inplace=True), nn.Conv2d(channels, channels, 1)
        )

    def forward(self, features: Tensor) -> Tensor:
        return chunk_by_chunk(self._attend, features)

    def _attend(self, features: Tensor) -> Tensor:
        return features + self.refine(features * channel_entropy(features).to(features.dtype))

    def functional_multiply_adds(self, features: Tensor) -> int:
        """Cost of the published softmax over the channels (see ``volfuse.networks.complexity``)."""
        return features.numel() // self.channels * (3 * self.channels - 1)
