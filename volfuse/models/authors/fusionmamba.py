"""FusionMamba: one file of its authors, in the names of two revisions of their code.

Xie et al. 2024, Visual Intelligence 2:37, arXiv:2404.09498; names and layers as in github.com/millieXie/FusionMamba.
One revision adds the sum of the sources twice. The other adds it once, and its fusion ends with a feed-forward part.
"""

from collections.abc import Container, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from volfuse.errors import FusionError
from volfuse.models.authors.checkpoint import Checkpoint
from volfuse.models.authors.places import WEIGHT_AND_BIAS, Layout, Places, Taken, fit, layer
from volfuse.networks import FusionMamba


class Revision(NamedTuple):
    """What differs between the revisions of the authors' code.

    Args:
        enhancement: what they call the dynamic feature enhancement.
        attention: what they call the channel attention of the fusion.
        feed_forward: the fusion ends with a feed-forward part.
        residual_scale: how often the sum of the sources is added.
    """

    enhancement: str
    attention: str
    feed_forward: bool
    residual_scale: float


REVISIONS = (
    Revision("Cross_layer", "self_attention_cross_spatial", False, 2.0),
    Revision("DFEM", "self_attention_cross_eca", True, 1.0),
)


def translate(checkpoints: Sequence[Checkpoint]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the options under which our network is the authors', and its state, from their one file.

    Widths and depths are read from the file: the authors published weights of more than one size.

    Raises:
        FusionError: if there is more than one file, or it is not FusionMamba's.
    """
    if len(checkpoints) != 1:
        raise FusionError(f"FusionMamba is one file; give one, not {len(checkpoints)}.")
    tensors = checkpoints[0].tensors
    revision = next((each for each in REVISIONS if _is(each, tensors)), None)
    channels = _length(tensors.get("patch_embed1.proj.weight"), 0)
    state_size = _length(tensors.get("layers.0.blocks.0.op.A_logs"), 1)
    depths = _depths(tensors)
    if revision is None or not channels or not state_size:
        raise FusionError(
            f"{checkpoints[0].file} is not a checkpoint of FusionMamba; give the file that its authors' code wrote."
        )
    options: dict[str, Any] = {
        "channels": channels,
        "depths": depths,
        "state_size": state_size,
        "block": "official",
        "fusion": "dffm",
        "fusion_feed_forward": revision.feed_forward,
        "official_gate": True,
        "use_first_skip": False,
        "residual_scale": revision.residual_scale,
    }
    with torch.device("meta"):
        network = FusionMamba(**options).state_dict()
    return options, fit(checkpoints[0], layout(depths, revision), network)


def _is(revision: Revision, names: Container[str]) -> bool:
    return f"Cross_block.0.{revision.enhancement}.texture_enhance1.conv.weight" in names


def _length(tensor: Tensor | None, dimension: int) -> int:
    return tensor.shape[dimension] if tensor is not None and tensor.ndim > dimension else 0


def _depths(names: Container[str]) -> list[int]:
    """Blocks per scale, by what is there of encoder or decoder, so that a gap in one of them is noticed."""
    scales = 0
    while f"layers.{scales}.blocks.0.norm.weight" in names:
        scales += 1
    depths = []
    for scale in range(scales):
        depth = 0
        stages = (f"layers.{scale}", f"layers_up.{scales - 1 - scale}")
        while any(f"{stage}.blocks.{depth}.norm.weight" in names for stage in stages):
            depth += 1
        depths.append(depth)
    return depths


def layout(depths: Sequence[int], revision: Revision) -> Layout:
    """Return where every tensor comes from, for so many blocks per scale."""
    places: Places = {}
    constants: dict[str, float] = {}
    deepest = len(depths) - 1
    for source in range(2):
        places |= layer(f"embeds.{source}.conv", f"patch_embed{source + 1}.proj")
        places |= layer(f"embeds.{source}.norm", f"patch_embed{source + 1}.norm")
    unused: set[str] = set()
    for scale, depth in enumerate(depths):
        up = f"layers_up.{deepest - scale}"
        for block in range(depth):
            for ours, theirs in ((f"encoder.{scale}", f"layers.{scale}"), (f"decoder.{scale}", up)):
                places |= _block(f"{ours}.{block}", f"{theirs}.blocks.{block}")
                constants[f"{theirs}.blocks.{block}.conv_branch.base_mask"] = 1
        if scale < deepest:
            places |= layer(f"merges.{scale}.norm", f"layers.{scale}.downsample.norm")
            places |= layer(f"merges.{scale}.reduce", f"layers.{scale}.downsample.reduction", ("weight",))
            places |= _expand(f"expands.{scale}", f"{up}.upsample")
        fusion = _fusion(f"fusions.{scale}", f"Cross_block.{scale}", revision)
        enhance = f"Cross_block.{scale}.{revision.enhancement}"
        unused |= {f"{enhance}.Diff_enhance.lastconv.{part}" for part in WEIGHT_AND_BIAS}
        constants |= {f"{enhance}.texture_enhance{source}.base_mask": 1 for source in (1, 2)}
        if scale:
            places |= fusion
        else:  # computed and dropped
            unused |= {place.name for place in fusion.values()}
    places |= _expand("head", "final_up") | layer("output", "final_conv")
    return Layout("a checkpoint of FusionMamba", places, constants, frozenset(unused))


def _block(ours: str, theirs: str) -> Places:
    return {
        **layer(f"{ours}.mix.norm", f"{theirs}.norm"),
        **layer(f"{ours}.mix.scan.enter", f"{theirs}.op.in_proj", ("weight",)),
        **_scan(f"{ours}.mix.scan", f"{theirs}.op"),
        **layer(f"{ours}.mix.attention.conv", f"{theirs}.self_attention_cross_channel.conv", ("weight",)),
        **_describe(f"{ours}.mix.describe", f"{theirs}.conv_branch"),
        **layer(f"{ours}.mix.gate.norm", f"{theirs}.se.norm"),
        **layer(f"{ours}.mix.gate.reduce", f"{theirs}.se.global_reduce"),
        **layer(f"{ours}.mix.gate.expand", f"{theirs}.se.channel_select"),
        **_feed_forward(f"{ours}.feed_forward", theirs),
    }


def _fusion(ours: str, theirs: str, revision: Revision) -> Places:
    enhance = f"{theirs}.{revision.enhancement}.texture_enhance"
    scan = f"{theirs}.self_attention_cross"
    return {
        **_describe(f"{ours}.enhance.describe_first", f"{enhance}1"),
        **_describe(f"{ours}.enhance.describe_second", f"{enhance}2"),
        **layer(f"{ours}.scan.norm_first", f"{theirs}.ln_1"),
        **layer(f"{ours}.scan.norm_second", f"{theirs}.ln_2"),
        **layer(f"{ours}.scan.scan.enter_first", f"{scan}.in_proj1", ("weight",)),
        **layer(f"{ours}.scan.scan.enter_second", f"{scan}.in_proj2", ("weight",)),
        **_scan(f"{ours}.scan.scan", scan),
        **layer(f"{ours}.scan.attention.conv", f"{theirs}.{revision.attention}.conv", ("weight",)),
        **(_feed_forward(f"{ours}.feed_forward", theirs) if revision.feed_forward else {}),
    }


def _scan(ours: str, theirs: str) -> Places:
    """A scan of four sub-grids, which share one tensor each; theirs have the four below each other or transposed."""
    return {
        **layer(f"{ours}.conv.conv", f"{theirs}.conv2d"),
        f"{ours}.scan.project": Taken(f"{theirs}.x_proj_weight", _transposed),
        f"{ours}.scan.step_weight": Taken(f"{theirs}.dt_projs_weight", _transposed),
        f"{ours}.scan.step_bias": Taken(f"{theirs}.dt_projs_bias", lambda bias: bias[:, None]),
        f"{ours}.scan.state_matrix_log": Taken(
            f"{theirs}.A_logs", lambda logs: _transposed(logs.unflatten(0, (4, -1)))
        ),
        f"{ours}.scan.skip": Taken(f"{theirs}.Ds", lambda skip: skip.unflatten(0, (4, 1, -1))),
        **layer(f"{ours}.scan.norm", f"{theirs}.out_norm"),
        **layer(f"{ours}.leave", f"{theirs}.out_proj", ("weight",)),
    }


def _describe(ours: str, theirs: str) -> Places:
    return {
        f"{ours}.weight": Taken(f"{theirs}.conv.weight"),
        f"{ours}.mask": Taken(f"{theirs}.learnable_mask", lambda mask: mask[..., None, None]),
        f"{ours}.theta": Taken(f"{theirs}.learnable_theta", lambda theta: theta[0]),
    }


def _feed_forward(ours: str, theirs: str) -> Places:
    return {
        **layer(f"{ours}.0", f"{theirs}.norm2"),
        **layer(f"{ours}.1", f"{theirs}.mlp.fc1"),
        **layer(f"{ours}.3", f"{theirs}.mlp.fc2"),
    }


def _expand(ours: str, theirs: str) -> Places:
    return layer(f"{ours}.expand", f"{theirs}.expand", ("weight",)) | layer(f"{ours}.norm", f"{theirs}.norm")


def _transposed(tensors: Tensor) -> Tensor:
    return tensors.mT
