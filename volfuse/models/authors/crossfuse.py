"""CrossFuse: three files of its authors, two auto-encoders and the network between them.

Li and Wu, Information Fusion 103 (2024) 102147, doi:10.1016/j.inffus.2023.102147; names and layers as in
github.com/hli1221/CrossFuse. Their code calls the infrared image first, ours the visible one (source 0).
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from volfuse.errors import FusionError
from volfuse.models.authors.checkpoint import Checkpoint
from volfuse.models.authors.places import WEIGHT_AND_BIAS, Layout, Places, Taken, fit, layer
from volfuse.networks import CrossFuse

FILES = {
    "_vi": "the auto-encoder of visible images (its name ends in _vi.model)",
    "_ir": "the auto-encoder of infrared images (its name ends in _ir.model)",
    "": "the fusion network",
}
"""What the three files are; the keys are how the authors end the names of the auto-encoders."""

_ATTENTION = "cross_atten_block"
_BATCH_NORM = (*WEIGHT_AND_BIAS, "running_mean", "running_var", "num_batches_tracked")
_BOX_FILTER = 1 / 9


def translate(checkpoints: Sequence[Checkpoint]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the options under which our network is the authors', and its state, from their three files in any order.

    Raises:
        FusionError: if a file is missing, is there twice, or is none of the three.
    """
    files = _recognised(checkpoints)
    attention = f"{_ATTENTION}.{_ATTENTION}.cross_atten1"
    options: dict[str, Any] = {
        "depth_self": _depth(files[""], f"{_ATTENTION}.self_atten_block1.self_atten1"),
        "depth_cross": _depth(files[""], attention),
        "re_softmax": True,
        "shift": True,
        "fusion": "cam",
        "freeze_encoders": True,
        "weight_mode": "official",
        "out_norm": "minmax",
    }
    with torch.device("meta"):
        network = CrossFuse(**options).state_dict()
    state = fit(files[""], fusion_layout(options["depth_self"], options["depth_cross"]), network)
    for source, kind in enumerate(("_vi", "_ir")):
        state |= fit(files[kind], encoder_layout(source), network)
    return options, state


def _recognised(checkpoints: Sequence[Checkpoint]) -> dict[str, Checkpoint]:
    """The three files by the keys of ``FILES``."""
    files: dict[str, Checkpoint] = {}
    for checkpoint in checkpoints:
        kind = _kind(checkpoint)
        if kind in files:
            raise FusionError(
                f"{files[kind].file} and {checkpoint.file} are both {FILES[kind]} of CrossFuse; give one of each."
            )
        files[kind] = checkpoint
    if missing := [words for kind, words in FILES.items() if kind not in files]:
        raise FusionError(f"CrossFuse needs three files; give also {' and '.join(missing)}.")
    return files


def _kind(checkpoint: Checkpoint) -> str:
    if any(name.startswith(f"{_ATTENTION}.") for name in checkpoint.tensors):
        return ""
    if not any(name.startswith("fea_encoder1.") for name in checkpoint.tensors):
        raise FusionError(
            f"{checkpoint.file} is none of CrossFuse's three files; give the ones that its authors' code wrote."
        )
    for kind in ("_vi", "_ir"):
        if checkpoint.path.stem.endswith(kind):
            return kind
    raise FusionError(
        f"{checkpoint.file} is an auto-encoder of CrossFuse, but not named by its images; let the name end in "
        "_vi.model (visible) or _ir.model (infrared), as its authors do."
    )


def _depth(checkpoint: Checkpoint, module: str) -> int:
    """How many of the blocks that our network can have are there; further ones have no place."""
    depth = 1
    while depth < 3 and f"{module}.blocks.{depth}.norm1.weight" in checkpoint.tensors:
        depth += 1
    return depth


def encoder_layout(source: int) -> Layout:
    """Return where the encoder of one source comes from; the decoder of stage 1 is not part of the fusion."""
    ours, theirs = f"encoders.{source}", "fea_encoder1"
    places = layer(f"{ours}.stem", f"{theirs}.conv1.conv2d.0")
    for block, their_block in ((1, 0), (3, 2)):
        mine, dense = f"{ours}.blocks.{block}", f"{theirs}.dense_blocks.{their_block}"
        places |= layer(f"{mine}.adjust", f"{dense}.adjust_conv.conv2d.0")
        for number in range(3):
            places |= layer(f"{mine}.layers.{number}", f"{dense}.dense_conv{number}.conv2d.0")
    decoder = ("conv1", "conv_block.0", "conv_block.2", "conv_last")
    unused = {f"recon_decoder1.{conv}.conv2d.0.{part}" for conv in decoder for part in WEIGHT_AND_BIAS}
    return Layout("an auto-encoder of CrossFuse", places, {}, frozenset(unused))


def fusion_layout(depth_self: int, depth_cross: int) -> Layout:
    """Return where everything but the encoders comes from, for so many blocks of self and cross attention."""
    places: Places = {}
    unused = {"conv_gra.weight"}
    for ours, theirs in (("self_attention", "block1"), ("shifted_self_attention", "block2")):
        for source, number in ((0, 2), (1, 1)):
            module = f"{_ATTENTION}.self_atten_{theirs}.self_atten{number}"
            unused |= {f"{module}.norm.{part}" for part in WEIGHT_AND_BIAS}
            for block in range(depth_self):
                places |= _block(f"fusion.{ours}.{source}.{block}", f"{module}.blocks.{block}")
                places |= _packed(
                    f"fusion.{ours}.{source}.{block}.attention", f"{module}.blocks.{block}.attn.qkv"
                )
    # Here the order is the same: their first takes keys and values from the visible image.
    for source, number in ((0, 1), (1, 2)):
        mine, module = f"fusion.cross_attention.{source}", f"{_ATTENTION}.{_ATTENTION}.cross_atten{number}"
        places |= layer(f"{mine}.norm", f"{module}.norm")
        for block in range(depth_cross):
            theirs = f"{module}.blocks.{block}"
            places |= _block(f"{mine}.blocks.{block}", theirs)
            for name in ("query", "key", "value"):
                places |= layer(f"{mine}.blocks.{block}.attention.{name}", f"{theirs}.attn.{name[0]}_linear")
            unused |= {f"{theirs}.attn.qkv.{part}" for part in WEIGHT_AND_BIAS}
    convolutions = {
        "decoder.0.0": "conv1",
        "decoder.0.2": "conv_block.0",
        "decoder.0.4": "conv_block.2",
        "decoder.1": "conv_block.4",
        "output": "conv_last",
    }
    for ours, theirs in convolutions.items():
        places |= layer(f"{ours}.0", f"decoder_fusion.{theirs}.conv2d.0")
        places |= layer(f"{ours}.1", f"decoder_fusion.{theirs}.conv2d.1", _BATCH_NORM)
    constants = {f"decoder_fusion.weight.conv_{depth}.weight": _BOX_FILTER for depth in ("sh", "de")}
    return Layout("the fusion network of CrossFuse", places, constants, frozenset(unused))


def _block(ours: str, theirs: str) -> Places:
    """One transformer block but its queries, keys and values."""
    return {
        **layer(f"{ours}.norm", f"{theirs}.norm1"),
        **layer(f"{ours}.attention.project", f"{theirs}.attn.proj"),
        **layer(f"{ours}.perceptron.0", f"{theirs}.norm2"),
        **layer(f"{ours}.perceptron.1", f"{theirs}.mlp.fc1"),
        **layer(f"{ours}.perceptron.3", f"{theirs}.mlp.fc2"),
    }


def _packed(ours: str, theirs: str) -> Places:
    """Queries, keys and values that are one layer there."""
    return {
        f"{ours}.{name}.{part}": Taken(f"{theirs}.{part}", partial(_third, number))
        for number, name in enumerate(("query", "key", "value"))
        for part in WEIGHT_AND_BIAS
    }


def _third(number: int, packed: Tensor) -> Tensor:
    third: Tensor = packed.unflatten(0, (3, -1))[number]
    return third
