import math
from pathlib import Path

import pytest
import torch

from tests.unit.models.authors.fusionmamba_files import Tensors, fuse, randomly, shapes
from volfuse.errors import FusionError
from volfuse.models.authors.checkpoint import Checkpoint
from volfuse.models.authors.fusionmamba import REVISIONS, layout, translate
from volfuse.networks import FusionMamba

CHANNELS, DEPTHS, STATES = 16, (1, 2, 1), 3
PUBLISHED = [(2, 2, 9, 2), (2, 2, 1, 2)]


@pytest.fixture
def tensors() -> Tensors:
    torch.manual_seed(0)
    return randomly(shapes(CHANNELS, DEPTHS, STATES))


def checkpoint(tensors: Tensors) -> list[Checkpoint]:
    return [Checkpoint(Path("folder") / "model.pth", tensors)]


@pytest.mark.parametrize(("depths", "millions"), [(PUBLISHED[0], 225.419_541), (PUBLISHED[1], 141.9)])
def test_the_shapes_are_those_whose_parameters_are_published(
    depths: tuple[int, ...], millions: float
) -> None:
    count = sum(math.prod(shape) for shape in shapes(96, depths, 16).values())
    assert count / 1e6 == pytest.approx(millions, abs=5e-7 if depths == PUBLISHED[0] else 0.05)


@pytest.mark.parametrize("revision", ["Cross_layer", "DFEM"])
@torch.no_grad()
def test_the_imported_network_computes_what_the_authors_file_means(revision: str) -> None:
    torch.manual_seed(0)
    theirs = randomly(shapes(CHANNELS, DEPTHS, STATES, revision))
    options, state = translate(checkpoint(theirs))
    network = FusionMamba(**options).double().eval()
    network.load_state_dict(state)
    sources = 0.1 + 0.1 * torch.rand(1, 2, 32, 48, dtype=torch.float64)
    expected = fuse({name: t.double() for name, t in theirs.items()}, DEPTHS, sources, revision)
    assert expected.min() > 0 and expected.max() < 1 and expected.std() > 1e-2
    torch.testing.assert_close(network(sources)[0, 0], expected, rtol=0, atol=1e-12)
    assert (network(sources.flip(1))[0, 0] - expected).abs().max() > 1e-4


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("depths", PUBLISHED)
def test_every_tensor_has_one_place_and_every_place_one_tensor(revision, depths: tuple[int, ...]) -> None:
    places = layout(depths, revision)
    with torch.device("meta"):
        ours = FusionMamba(depths=depths, use_first_skip=False, fusion_feed_forward=revision.feed_forward)
    taken = [place.name for place in places.places.values()]
    others = places.constants.keys() | places.unused
    assert places.places.keys() == ours.state_dict().keys()
    assert {*taken, *others} == shapes(96, depths, 16, revision.enhancement).keys()
    assert len(set(taken)) == len(taken) and not others & set(taken)


def test_size_and_revision_are_read_from_the_file(tensors: Tensors) -> None:
    options, _ = translate(checkpoint(tensors))
    assert options == {
        "channels": CHANNELS,
        "depths": list(DEPTHS),
        "state_size": STATES,
        "block": "official",
        "fusion": "dffm",
        "fusion_feed_forward": False,
        "official_gate": True,
        "use_first_skip": False,
        "residual_scale": 2.0,
    }


NO = "model.pth is not a checkpoint of FusionMamba; give the file that its authors' code wrote."
BLOCK = "layers.1.blocks.1.norm.weight"
# What becomes of the tensors, and the sentence.
WRONG = {
    "another network": (lambda t: {"fea_encoder1.conv1.conv2d.0.weight": torch.zeros(3)}, NO),
    "no size to read": (lambda t: t | {"patch_embed1.proj.weight": torch.zeros(())}, NO),
    "no channels": (lambda t: t | {"patch_embed1.proj.weight": torch.zeros(0, 1, 4, 4)}, NO),
    "one tensor missing": (
        lambda t: {name: tensor for name, tensor in t.items() if name != BLOCK},
        f"model.pth lacks '{BLOCK}' of a checkpoint of FusionMamba; get the file again.",
    ),
    "a scale missing": (
        lambda t: {name: tensor for name, tensor in t.items() if not name.startswith("Cross_block.2")},
        "model.pth lacks 'Cross_block.2.Cross_layer.texture_enhance1.conv.weight' and 22 more tensors of a checkpoint "
        "of FusionMamba; get the file again.",
    ),
    "more than there should be": (
        lambda t: t | {"head.weight": torch.zeros(1)},
        "model.pth is not a checkpoint of FusionMamba, which has no 'head.weight'; give the file that its authors' "
        "code wrote.",
    ),
    "another shape": (
        lambda t: t | {"layers.0.blocks.0.op.Ds": torch.zeros(7)},
        "model.pth has a 'layers.0.blocks.0.op.Ds' of another shape (7) than a checkpoint of FusionMamba; give the "
        "file that its authors' code wrote.",
    ),
    "a mask that learned": (
        lambda t: t | {"layers.0.blocks.0.conv_branch.base_mask": torch.zeros(16, 16, 3, 3)},
        "model.pth has other values than 1 in 'layers.0.blocks.0.conv_branch.base_mask', which a checkpoint of "
        "FusionMamba keeps constant; it comes from other code.",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_file_that_is_not_the_authors_is_refused_in_one_sentence(case: str, tensors: Tensors) -> None:
    change, sentence = WRONG[case]
    with pytest.raises(FusionError) as caught:
        translate(checkpoint(change(tensors)))
    assert str(caught.value) == sentence


def test_one_file_is_enough(tensors: Tensors) -> None:
    with pytest.raises(FusionError, match=r"^FusionMamba is one file; give one, not 2\.$"):
        translate(checkpoint(tensors) * 2)
