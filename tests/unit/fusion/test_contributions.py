"""What each source adds: from one slice to a volume on the reference's grid."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from volfuse.errors import FusionError
from volfuse.fusion.contributions import WithContributions
from volfuse.fusion.inferers import FusionInferer
from volfuse.fusion.options import FusionOptions
from volfuse.fusion.pipeline import FusionPipeline
from volfuse.fusion.slabs import FusedCase
from volfuse.imaging import OrientSlicesd
from volfuse.models import bundles
from volfuse.networks import LightFusionNet, UnionNet

ASKED = FusionOptions(contributions=True, plane="coronal", batch_size=1)


@pytest.fixture
def unionnet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FusionPipeline:
    """A small UnionNet whose random weights make gains and corrections of every strength, as a bundle."""
    small = {"channels": 8, "levels": 4}
    network = UnionNet(**small)
    for refinement in network.refinements:
        torch.nn.init.uniform_(refinement.predict.bias, -1, 1)
    root = tmp_path / "bundles" / "union"
    shutil.copytree(bundles()["lightfusionnet"].root, root)
    config = json.loads((root / "configs" / "inference.json").read_text(encoding="utf-8"))
    config["network_def"] = {"_target_": "volfuse.networks.UnionNet", **small}
    (root / "configs" / "inference.json").write_text(json.dumps(config))
    torch.save(network.state_dict(), root / "models" / "model.pt")
    monkeypatch.setenv("VOLFUSE_BUNDLES", str(root.parent))
    return FusionPipeline("union", "cpu")


def read_slices(case: FusedCase) -> torch.Tensor:
    """The contributions as the network saw its slices: (K, H, W, D)."""
    return OrientSlicesd("maps", "coronal")({"maps": case.contributions})["maps"].as_tensor()


def test_the_contributions_of_unionnet_add_up_to_exactly_the_fused_volume(
    unionnet: FusionPipeline, mr_file: Path, pet_file: Path
) -> None:
    case = unionnet.fuse_case([mr_file, pet_file], ASKED)
    assert case.contributions.shape == (3, *case.image.shape[1:])
    np.testing.assert_array_equal(case.contributions.affine, case.image.affine)
    total = case.contributions.as_tensor().sum(0, keepdim=True)
    assert torch.equal((total * 255).round().to(torch.uint8), case.image.as_tensor())
    torch.testing.assert_close(read_slices(case).sum(0), case.fused[0].as_tensor(), rtol=0, atol=1e-6)
    assert (case.contributions[2] < -0.01).any()


@pytest.mark.parametrize("model", ["union", "lightfusionnet"])
def test_every_slice_is_what_the_network_says_of_it_alone(
    unionnet: FusionPipeline, mr_file: Path, pet_file: Path, model: str
) -> None:
    case = FusionPipeline(model, "cpu").fuse_case([mr_file, pet_file], ASKED)
    network = FusionPipeline(model, "cpu").network
    slices = read_slices(case)
    for index in (0, 20, slices.shape[-1] - 1):
        with torch.no_grad():
            alone = network.contributions(case.sources.as_tensor()[None, ..., index])[0].float()
        torch.testing.assert_close(slices[..., index], alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize("model", ["union", "lightfusionnet"])
def test_asking_for_contributions_changes_no_voxel(
    unionnet: FusionPipeline, mr_file: Path, pet_file: Path, model: str
) -> None:
    pipeline = FusionPipeline(model, "cpu")
    plain = pipeline.fuse_case([mr_file, pet_file], FusionOptions(plane="coronal", batch_size=1))
    asked = pipeline.fuse_case([mr_file, pet_file], ASKED)
    assert plain.contributions is None
    assert torch.equal(plain.fused, asked.fused)
    assert torch.equal(plain.image, asked.image)


def test_contributions_come_through_padding_and_batches() -> None:
    """Their sum stays within the unit range, they themselves may leave it."""

    class Split(torch.nn.Module):
        def contributions(self, sources: torch.Tensor) -> torch.Tensor:
            return torch.cat([sources * 2, -sources.sum(1, keepdim=True)], dim=1)

    sources = torch.rand(1, 2, 9, 7, 5) / 2
    returned = FusionInferer(divisor=4, batch_size=2)(sources, WithContributions(Split(), "split"))
    assert returned.shape == (1, 4, 9, 7, 5)
    torch.testing.assert_close(returned[:, 1:3], sources * 2)
    torch.testing.assert_close(returned[:, 3:], -sources.sum(1, keepdim=True))
    torch.testing.assert_close(returned[:, :1], sources.sum(1, keepdim=True))


def test_a_model_that_cannot_tell_says_so(mr_file: Path) -> None:
    with pytest.raises(
        FusionError, match=r"^average cannot tell what each image contributes; choose another model, "
    ):
        FusionPipeline("average", "cpu").fuse([mr_file, mr_file], ASKED)


@pytest.mark.parametrize("attention", ["pca", "conv", "ca", "sa"])
def test_lightfusionnet_divides_its_image_exactly(attention: str) -> None:
    network, sources = LightFusionNet(attention=attention).eval(), torch.rand(2, 2, 15, 18)
    contributions = network.contributions(sources)
    assert contributions.shape == (2, 2, 15, 18) and contributions.min() >= 0
    assert torch.equal(contributions.sum(1, keepdim=True).float(), network(sources))


def test_lightfusionnet_gives_an_equal_share_where_no_source_has_a_feature() -> None:
    network, sources = LightFusionNet(norm=None).eval(), torch.zeros(1, 2, 8, 8)
    for parameter in network.encoders.parameters():
        parameter.data.zero_()
    torch.testing.assert_close(
        network.contributions(sources).float(), network(sources).expand(1, 2, 8, 8) / 2, rtol=0, atol=1e-7
    )


def test_the_trained_lightfusionnet_finds_the_lesion_in_the_scan_that_shows_it(
    mr_file: Path, pet_file: Path
) -> None:
    """The lesion at (30, 30, 20) mm is bright in the PET alone; its mirror image is healthy."""
    case = FusionPipeline("lightfusionnet", "cpu").fuse_case(
        [mr_file, pet_file], FusionOptions(contributions=True)
    )
    inverse = torch.linalg.inv(case.image.affine)

    def share_of_pet(*world: float) -> float:
        i, j, k = (inverse @ torch.tensor([*world, 1.0], dtype=torch.float64))[:3].round().int().tolist()
        mr, pet = case.contributions[:, i, j, k].tolist()
        return pet / (mr + pet)

    assert share_of_pet(30, 30, 20) > 2 * share_of_pet(-30, 30, 20)
