import math
from pathlib import Path

import pytest
import torch

from tests.unit.models.authors.crossfuse_files import (
    Tensors,
    autoencoder_shapes,
    fuse,
    fusion_shapes,
    randomly,
)
from volfuse.errors import FusionError
from volfuse.models.authors.checkpoint import Checkpoint
from volfuse.models.authors.crossfuse import encoder_layout, fusion_layout, translate
from volfuse.networks import CrossFuse

FUSION = "fusetrans_epoch_32.model"


@pytest.fixture(scope="module")
def files() -> dict[str, Tensors]:
    torch.manual_seed(0)
    return {
        "auto_vi.model": randomly(autoencoder_shapes()),
        "auto_ir.model": randomly(autoencoder_shapes()),
        FUSION: randomly(fusion_shapes()),
    }


def checkpoints(files: dict[str, Tensors]) -> list[Checkpoint]:
    return [Checkpoint(Path("folder") / name, tensors) for name, tensors in files.items()]


def count(shapes: dict[str, tuple[int, ...]]) -> int:
    """Parameters: what counts batches or their statistics is none."""
    return sum(
        math.prod(shape) for name, shape in shapes.items() if "running" not in name and "tracked" not in name
    )


def test_the_shapes_are_those_whose_parameters_were_counted_in_the_published_code() -> None:
    assert round(count(autoencoder_shapes()) / 1e6, 4) == 1.2545
    encoders = 2 * sum(math.prod(s) for n, s in autoencoder_shapes().items() if n.startswith("fea_"))
    assert round((encoders + count(fusion_shapes())) / 1e6, 2) == 23.05


@torch.no_grad()
def test_the_imported_network_computes_what_the_authors_files_mean(files: dict[str, Tensors]) -> None:
    options, state = translate(checkpoints(files))
    network = CrossFuse(**options).eval()
    network.load_state_dict(state)
    sources = torch.rand(1, 2, 256, 256)
    expected = fuse(files["auto_vi.model"], files["auto_ir.model"], files[FUSION], sources)
    assert expected.std() > 1e-3
    torch.testing.assert_close(network(sources), expected, rtol=0, atol=1e-5)


def test_every_tensor_has_one_place_and_every_place_one_tensor() -> None:
    for depths in ((1, 1), (2, 3)):
        fusion, encoders = fusion_layout(*depths), [encoder_layout(source) for source in range(2)]
        with torch.device("meta"):
            ours = CrossFuse(*depths).state_dict()
        assert ours.keys() == fusion.places.keys() | encoders[0].places.keys() | encoders[1].places.keys()
        for layout, shapes in ((fusion, fusion_shapes(*depths)), (encoders[0], autoencoder_shapes())):
            taken = {place.name for place in layout.places.values()}
            assert taken | layout.constants.keys() | layout.unused == shapes.keys()
            assert not taken & (layout.constants.keys() | layout.unused)


def test_more_blocks_are_recognised(files: dict[str, Tensors]) -> None:
    deeper = {
        **files,
        FUSION: {name: torch.ones(()).expand(shape) for name, shape in fusion_shapes(2, 2).items()},
    }
    deeper[FUSION] |= {
        name: t for name, t in files[FUSION].items() if name.startswith("decoder_fusion.weight")
    }
    options, _ = translate(checkpoints(deeper))
    assert (options["depth_self"], options["depth_cross"]) == (2, 2)
    assert (options["weight_mode"], options["out_norm"]) == ("official", "minmax")


def without(tensors: Tensors, *ends: str) -> Tensors:
    return {name: tensor for name, tensor in tensors.items() if not name.endswith(ends)}


VI, IR = "auto_vi.model", "auto_ir.model"
QUERY = "cross_atten_block.cross_atten_block.cross_atten1.blocks.0.attn.q_linear.weight"
# What becomes of the three files, and the sentence.
WRONG = {
    "no visible": (
        lambda f: {name: f[name] for name in (FUSION, IR)},
        "CrossFuse needs three files; give also the auto-encoder of visible images (its name ends in _vi.model).",
    ),
    "fusion alone": (
        lambda f: {FUSION: f[FUSION]},
        "CrossFuse needs three files; give also the auto-encoder of visible images (its name ends in _vi.model) and "
        "the auto-encoder of infrared images (its name ends in _ir.model).",
    ),
    "no fusion": (
        lambda f: {name: f[name] for name in (VI, IR)},
        "CrossFuse needs three files; give also the fusion network.",
    ),
    "twice": (
        lambda f: f | {"more.model": f[FUSION]},
        "fusetrans_epoch_32.model and more.model are both the fusion network of CrossFuse; give one of each.",
    ),
    "nameless": (
        lambda f: {FUSION: f[FUSION], VI: f[VI], "auto.model": f[IR]},
        "auto.model is an auto-encoder of CrossFuse, but not named by its images; let the name end in _vi.model "
        "(visible) or _ir.model (infrared), as its authors do.",
    ),
    "another network": (
        lambda f: f | {IR: {"conv.weight": torch.zeros(3)}},
        "auto_ir.model is none of CrossFuse's three files; give the ones that its authors' code wrote.",
    ),
    "one tensor missing": (
        lambda f: f | {FUSION: without(f[FUSION], QUERY)},
        f"fusetrans_epoch_32.model lacks '{QUERY}' of the fusion network of CrossFuse; get the file again.",
    ),
    "half missing": (
        lambda f: f | {VI: without(f[VI], "dense_conv1.conv2d.0.weight", "dense_conv2.conv2d.0.bias")},
        "auto_vi.model lacks 'fea_encoder1.dense_blocks.0.dense_conv1.conv2d.0.weight' and 3 more tensors of an "
        "auto-encoder of CrossFuse; get the file again.",
    ),
    "more than there should be": (
        lambda f: f | {IR: f[IR] | {"fea_encoder1.conv9.weight": torch.zeros(1)}},
        "auto_ir.model is not an auto-encoder of CrossFuse, which has no 'fea_encoder1.conv9.weight'; give the file "
        "that its authors' code wrote.",
    ),
    "another shape": (
        lambda f: f | {FUSION: f[FUSION] | {QUERY: torch.zeros(256, 512)}},
        f"fusetrans_epoch_32.model has a '{QUERY}' of another shape (256x512) than the fusion network of CrossFuse; "
        "give the file that its authors' code wrote.",
    ),
    "another filter": (
        lambda f: (
            f | {FUSION: f[FUSION] | {"decoder_fusion.weight.conv_sh.weight": torch.ones(32, 32, 3, 3)}}
        ),
        "fusetrans_epoch_32.model has other values than 0.111 in 'decoder_fusion.weight.conv_sh.weight', which the "
        "fusion network of CrossFuse keeps constant; it comes from other code.",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_files_that_are_not_the_authors_are_refused_in_one_sentence(
    case: str, files: dict[str, Tensors]
) -> None:
    change, sentence = WRONG[case]
    with pytest.raises(FusionError) as caught:
        translate(checkpoints(change(files)))
    assert str(caught.value) == sentence
