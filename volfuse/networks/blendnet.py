"""BlendNet: weights over the sources and a bounded correction, so that every contribution is known.

Not from a paper. The fused image is a weighted mean of the sources and their maximum, with weights per pixel,
plus a correction that cannot exceed a share of how much the sources differ nearby. By construction an image fused
with itself is returned exactly, black stays black, and the contribution of every source is known.

The network revises weights and correction a few times. Each time it gets the fused image and three directions in which
that image would become better: more of the sources' edges survive, what is added to one source looks more like the
other (over the whole image), patches come closer to the best that the sources offer. That is gradient ascent with a
learned step (Gregor and LeCun 2010, ICML; Adler and Oktem 2017, doi:10.1088/1361-6420/aa9581). It works at half
resolution on rearranged pixels (Shi et al. 2016, doi:10.1109/CVPR.2016.207) with dilated convolutions (Yu and Koltun
2016, arXiv:1511.07122).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from volfuse.metrics import DesiredStructure, correlation_of_differences_ascent, edge_preservation_ascent


class BlendNet(nn.Module):
    """Fuse two source images by weights that it predicts for every pixel.

    Args:
        channels: feature channels.
        dilations: one residual 3x3 convolution each, at half resolution.
        correction: the largest correction as a share of the largest difference of the sources within
            ``2 * reach + 1`` pixels.
        revisions: how often weights and correction are revised; all revisions share their parameters.
    """

    num_sources = 2
    reach = 3

    def __init__(
        self,
        channels: int = 24,
        dilations: Sequence[int] = (1, 2, 4, 8, 1),
        correction: float = 0.5,
        revisions: int = 10,
    ) -> None:
        super().__init__()
        self.correction = correction
        self.revisions = revisions
        # Per pixel: one weight per source, one for their maximum, one correction.
        outputs = 4 * (self.num_sources + 2)
        self.stem = _conv(4 * self.num_sources, channels)
        self.trunk = nn.ModuleList(_conv(channels, channels, dilation) for dilation in dilations)
        self.head = _conv(channels, outputs)
        # Apart from the stem of a revision because it is the same for all revisions.
        self.revision_features = _conv(channels, channels)
        # Per pixel: the sources, the fused image, the ascent of the edges twice, that of the correlations; per four
        # pixels the ascent of the structure.
        self.revision_stem = _conv(4 * (self.num_sources + 4) + 1, channels)
        self.revision_layer = _conv(channels, channels)
        self.revision_head = _conv(channels, outputs)
        # Even shares and no correction to begin with: from random ones, some trainings push all corrections to their
        # bound within thirty steps and stay there.
        for head in (self.head, self.revision_head):
            for parameter in head.parameters():
                nn.init.zeros_(parameter)

    def forward(self, sources: Tensor) -> Tensor:
        """Fuse ``sources`` (B, 2, H, W), values 0..1, of any H and W, into (B, 1, H, W), values 0..1."""
        return self.contributions(sources).sum(dim=1, keepdim=True)

    def contributions(self, sources: Tensor) -> Tensor:
        """Return what each source and the correction add to the fused image.

        Args:
            sources: (B, 2, H, W), values 0..1.

        Returns:
            (B, 3, H, W): first source, second source, correction; their sum is the fused image. The sources' are
            0 or more, the correction has either sign.
        """
        height, width = sources.shape[-2:]
        sources = F.pad(sources, (0, width % 2, 0, height % 2), mode="replicate")
        features = F.leaky_relu(self.stem(F.pixel_unshuffle(sources, 2)), 0.1)
        for layer in self.trunk:
            features = features + F.leaky_relu(layer(features), 0.1)
        prediction = self.head(features)
        remembered = self.revision_features(features)
        bound = self._bound(sources)
        with torch.autocast(sources.device.type, enabled=False):
            desired = DesiredStructure(sources.float())
        for _ in range(self.revisions):
            fused = self._render(prediction, sources, bound).sum(dim=1, keepdim=True)
            seen = self.revision_stem(self._look(fused, sources, desired))
            revision = F.leaky_relu(remembered + seen, 0.1)
            revision = revision + F.leaky_relu(self.revision_layer(revision), 0.1)
            prediction = prediction + self.revision_head(revision)
        return self._render(prediction, sources, bound)[..., :height, :width]

    def _bound(self, sources: Tensor) -> Tensor:
        largest = sources.amax(dim=1, keepdim=True) - sources.amin(dim=1, keepdim=True)
        for window in ((2 * self.reach + 1, 1), (1, 2 * self.reach + 1)):
            largest = F.max_pool2d(largest, window, stride=1, padding=(window[0] // 2, window[1] // 2))
        return self.correction * largest

    def _render(self, prediction: Tensor, sources: Tensor, bound: Tensor) -> Tensor:
        weights, correction = F.pixel_shuffle(prediction, 2).split([self.num_sources + 1, 1], dim=1)
        weights = weights.softmax(dim=1)
        brightest = sources.amax(dim=1, keepdim=True)
        is_brightest = sources == brightest
        share = is_brightest / is_brightest.sum(dim=1, keepdim=True)
        blended = (weights[:, :-1] + share * weights[:, -1:]) * sources
        blend = blended.sum(dim=1, keepdim=True)
        corrected = (blend + bound * correction.tanh()).clamp(0, 1)
        return torch.cat([blended, corrected - blend], dim=1)

    @staticmethod
    def _look(fused: Tensor, sources: Tensor, desired: DesiredStructure) -> Tensor:
        # The ascents divide by small numbers.
        with torch.autocast(fused.device.type, enabled=False):
            images = fused.detach().float(), sources.float()
            edges = edge_preservation_ascent(*images)
            scale = F.avg_pool2d(edges.abs(), 9, stride=1, padding=4)
            correlations = correlation_of_differences_ascent(*images)
            structure = desired.ascent(images[0])
        seen = [sources, fused, edges.asinh(), (edges / (scale + 0.05)).tanh(), correlations.asinh()]
        return torch.cat([F.pixel_unshuffle(torch.cat(seen, dim=1), 2), structure.asinh()], dim=1)


def _conv(in_channels: int, out_channels: int, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(
        in_channels, out_channels, 3, padding=dilation, dilation=dilation, padding_mode="replicate"
    )
