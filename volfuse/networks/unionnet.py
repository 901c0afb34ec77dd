r"""UnionNet: the union of the detail of both sources, so that what either scan shows is in the fused image.

Not from a paper. Most fusion networks choose, at every pixel, the source with the stronger structure; what the other
one shows there is lost. Here both are added up, in a Laplacian pyramid (Burt and Adelson 1983,
doi:10.1109/TCOM.1983.1095851), and only what both have in common is taken out again. From coarse to fine, with
:math:`L_A, L_B` the bands of the sources,

.. math:: F_l = up(F_{l+1}) + g_A L_A + g_B L_B - c \, common(L_A, L_B) + r (|L_A| + |L_B|)

A small network at every level predicts the gains :math:`g \ge 0`, the share :math:`c` of what is common (of two bands
of one sign the smaller one), and a small correction :math:`r`. It sees the bands, the images at that scale, what is
fused so far, and its own features of the coarser scale. The finest level computes at half resolution on rearranged
pixels (Shi et al. 2016, doi:10.1109/CVPR.2016.207). At the end the image is held between the sources, widened by how
much they differ nearby: an image fused with itself is returned exactly, and black stays black.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_OUTPUTS = 4  # gain of either source, share of the common detail, correction


class UnionNet(nn.Module):
    """Fuse two source images by adding up their detail, scale by scale.

    Args:
        channels: feature channels of every level.
        levels: bands of the pyramid; the base below them has ``2 ** levels`` times fewer rows and columns.
        largest_gain: bound of the gain of a band.
        largest_correction: bound of the correction, as a share of what the sources show in the band.
    """

    num_sources = 2
    reach = 4  # of the widening at the end, in pixels of half resolution

    def __init__(
        self,
        channels: int = 24,
        levels: int = 6,
        largest_gain: float = 1.6,
        largest_correction: float = 0.25,
    ) -> None:
        super().__init__()
        self.levels = levels
        self.largest_gain = largest_gain
        self.largest_correction = largest_correction
        self.base = Refinement(3, channels, 3)
        # The finest level sees and predicts four pixels at a time.
        self.refinements = nn.ModuleList(
            Refinement(6 if level else 5 * 4, channels, _OUTPUTS if level else _OUTPUTS * 4)
            for level in range(levels)
        )

    def forward(self, sources: Tensor) -> Tensor:
        """Fuse ``sources`` (B, 2, H, W), values 0..1, of any H and W, into (B, 1, H, W), values 0..1."""
        return self._fuse(sources)[0]

    def contributions(self, sources: Tensor) -> Tensor:
        """Return what each source and the network itself add to the fused image.

        Args:
            sources: (B, 2, H, W), values 0..1.

        Returns:
            (B, 3, H, W) in double precision: first source, second source, corrections and bounds. Their sum, rounded to
            single precision, is exactly the fused image.
        """
        fused, parts = self._fuse(sources)
        of_sources = parts[:, : self.num_sources].double()
        own = fused.double() - of_sources.sum(dim=1, keepdim=True)
        return torch.cat([of_sources, own], dim=1)

    def _fuse(self, sources: Tensor) -> tuple[Tensor, Tensor]:
        """The fused image (B, 1, H, W) and the parts (B, 3, H, W) that it is the sum of but for its bounds."""
        height, width = sources.shape[-2:]
        step = 2**self.levels
        padding = (0, -width % step, 0, -height % step)
        images = [F.pad(sources, padding, mode="replicate")]
        for _ in range(self.levels):
            images.append(_halved(images[-1]))
        bands = [fine - _doubled(coarse) for fine, coarse in pairwise(images)]

        parts, features = self._fuse_base(images[-1])
        for level in reversed(range(self.levels)):
            parts = _doubled(parts)
            fused = parts.sum(dim=1, keepdim=True)
            seen = [bands[level], images[level], fused]
            if level:
                seen.append(images[level].amax(dim=1, keepdim=True))
                prediction, features = self.refinements[level](torch.cat(seen, dim=1), _doubled(features))
            else:
                rearranged = F.pixel_unshuffle(torch.cat(seen, dim=1), 2)
                prediction, features = self.refinements[level](rearranged, features)
                prediction = F.pixel_shuffle(prediction, 2)
            parts = parts + self._band(prediction, bands[level])
        fused = _held(parts.sum(dim=1, keepdim=True), images[0], self.reach)
        return fused[..., :height, :width], parts[..., :height, :width]

    def _fuse_base(self, images: Tensor) -> tuple[Tensor, Tensor]:
        difference = images[:, :1] - images[:, 1:]
        prediction, features = self.base(torch.cat([images, difference], dim=1))
        weights = 1.2 * prediction[:, :2].sigmoid()
        offset = -0.5 * prediction[:, 2:].tanh() * images.mean(dim=1, keepdim=True)
        return torch.cat([weights * images, offset], dim=1), features

    def _band(self, prediction: Tensor, band: Tensor) -> Tensor:
        """What the sources and the network add to one band: (B, 4, h, w) and (B, 2, h, w) -> (B, 3, h, w)."""
        # So that an untrained network adds both bands up, less most of what they have in common.
        gains = self.largest_gain * (prediction[:, :2] + 0.5).sigmoid()
        share = (prediction[:, 2:3] + 1.5).sigmoid()
        strengths = band.abs()
        same_sign = band[:, :1] * band[:, 1:] > 0
        common = torch.where(same_sign, band.sign()[:, :1] * strengths.amin(dim=1, keepdim=True), 0)
        correction = self.largest_correction * prediction[:, 3:].tanh() * strengths.sum(dim=1, keepdim=True)
        return torch.cat([gains * band - share * common / self.num_sources, correction], dim=1)


class Refinement(nn.Module):
    """Two 3x3 convolutions on what one scale shows, started from the features of the coarser one.

    Args:
        in_channels: channels of what it sees.
        channels: feature channels.
        out_channels: channels of the prediction.
    """

    def __init__(self, in_channels: int, channels: int, out_channels: int) -> None:
        super().__init__()
        self.look = nn.Conv2d(in_channels, channels, 3, padding=1, padding_mode="replicate")
        self.think = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="replicate")
        self.predict = nn.Conv2d(channels, out_channels, 1)
        weight, bias = self.predict.parameters()
        with torch.no_grad():  # close to the plain union to begin with
            weight.mul_(0.1)
        nn.init.zeros_(bias)

    def forward(self, seen: Tensor, coarser: Tensor | float = 0.0) -> tuple[Tensor, Tensor]:
        """(B, C_in, h, w) and features (B, C, h, w) -> prediction (B, C_out, h, w) and features (B, C, h, w)."""
        features = F.leaky_relu(self.look(seen) + coarser, 0.1)
        features = features + F.leaky_relu(self.think(features), 0.1)
        return self.predict(features), features


def _halved(images: Tensor) -> Tensor:
    """Half the rows and columns, with the weights (1, 3, 3, 1) / 8 along each axis."""
    return F.interpolate(images, scale_factor=0.5, mode="bilinear", antialias=True)


def _doubled(images: Tensor) -> Tensor:
    return F.interpolate(images, scale_factor=2, mode="bilinear")


def _held(fused: Tensor, sources: Tensor, reach: int) -> Tensor:
    """Hold an image between the darkest source less, and the brightest plus, the largest difference nearby."""
    darkest, brightest = sources.amin(dim=1, keepdim=True), sources.amax(dim=1, keepdim=True)
    difference = F.max_pool2d(brightest - darkest, 2)
    for window in ((2 * reach + 1, 1), (1, 2 * reach + 1)):
        difference = F.max_pool2d(difference, window, stride=1, padding=(window[0] // 2, window[1] // 2))
    difference = _doubled(difference)
    lowest, highest = (darkest - difference).clamp(min=0), (brightest + difference).clamp(max=1)
    return torch.minimum(torch.maximum(fused, lowest), highest)
