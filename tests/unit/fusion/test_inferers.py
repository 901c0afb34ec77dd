import pytest
import torch
from monai.data import MetaTensor
from torch import Tensor, nn

from volfuse.errors import FusionCancelled, FusionError
from volfuse.fusion.inferers import FusionInferer
from volfuse.networks import LightFusionNet

OUT_OF_MEMORY = (
    torch.OutOfMemoryError("CUDA out of memory"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory"),
)


class Maximum(nn.Module):
    """A network with a divisor and a memory limit, whose result is known."""

    def __init__(
        self, divisor: int = 1, most_slices: int | None = None, error: RuntimeError = OUT_OF_MEMORY[0]
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.divisor = divisor
        self.most_slices = most_slices
        self.error = error
        self.batches: list[int] = []

    def forward(self, sources: Tensor) -> Tensor:
        assert sources.shape[-2] % self.divisor == 0 and sources.shape[-1] % self.divisor == 0
        if self.most_slices is not None and len(sources) > self.most_slices:
            raise self.error
        self.batches.append(len(sources))
        return sources.amax(1, keepdim=True) * self.weight


@pytest.mark.parametrize(
    "shape", [(1, 2, 13, 17), (3, 4, 8, 8), (1, 2, 13, 17, 5), (2, 3, 7, 9, 4), (1, 2, 6, 6, 1)]
)
def test_images_and_volumes_of_any_size_are_padded_and_cropped(shape: tuple[int, ...]) -> None:
    sources = torch.rand(shape)
    fused = FusionInferer(divisor=8)(sources, Maximum(divisor=8))
    torch.testing.assert_close(fused, sources.amax(1, keepdim=True))


@pytest.mark.parametrize("axis", [2, 3, 4, -1])
def test_slices_run_along_the_chosen_axis(axis: int) -> None:
    sources = torch.rand(1, 2, 5, 6, 7)
    network = Maximum()
    fused = FusionInferer(axis=axis, batch_size=100)(sources, network)
    assert network.batches == [sources.shape[axis]]
    torch.testing.assert_close(fused, sources.amax(1, keepdim=True))


@pytest.mark.parametrize("batch_size", [2, 3, 7, 100])
def test_the_batch_size_does_not_change_the_result(batch_size: int) -> None:
    sources, network = torch.rand(1, 2, 33, 29, 7), LightFusionNet().eval()
    one_by_one = FusionInferer(batch_size=1)(sources, network)
    torch.testing.assert_close(
        FusionInferer(batch_size=batch_size)(sources, network), one_by_one, rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["GPU", "CPU"])
def test_batches_are_halved_until_they_fit(error: RuntimeError) -> None:
    sources, network = torch.rand(1, 2, 4, 4, 20), Maximum(most_slices=3, error=error)
    fused = FusionInferer(batch_size=16)(sources, network)
    torch.testing.assert_close(fused, sources.amax(1, keepdim=True))
    assert max(network.batches) == 2 and sum(network.batches) == 20


def test_other_errors_of_the_network_are_not_hidden() -> None:
    with pytest.raises(RuntimeError, match="^shapes do not fit$"):
        FusionInferer()(
            torch.rand(1, 2, 4, 4), Maximum(most_slices=0, error=RuntimeError("shapes do not fit"))
        )


def test_too_little_memory_for_one_slice_is_said() -> None:
    with pytest.raises(FusionError, match=r"^There is too little memory for one slice; close other programs"):
        FusionInferer(batch_size=4)(torch.rand(1, 2, 4, 4), Maximum(most_slices=0))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_full_gpu_hands_the_rest_to_the_cpu() -> None:
    class NotOnGpu(Maximum):
        def forward(self, sources: Tensor) -> Tensor:
            if sources.is_cuda:
                raise torch.OutOfMemoryError("out of memory")
            return super().forward(sources)

    sources, network = torch.rand(1, 2, 4, 4, 5), NotOnGpu().cuda()
    torch.testing.assert_close(FusionInferer()(sources, network), sources.amax(1, keepdim=True))
    assert network.weight.is_cuda


def test_progress_counts_slices() -> None:
    calls = []
    inferer = FusionInferer(batch_size=2, progress=lambda done, total: calls.append((done, total)))
    inferer(torch.rand(1, 2, 4, 4, 5), Maximum())
    assert calls == [(2, 5), (4, 5), (5, 5)]


def test_it_stops_when_asked() -> None:
    network = Maximum()
    with pytest.raises(FusionCancelled):
        FusionInferer(should_stop=lambda: len(network.batches) == 2)(torch.rand(1, 2, 4, 4, 5), network)
    assert len(network.batches) == 2


def test_values_leave_within_the_unit_range() -> None:
    network = Maximum()
    network.weight.data.fill_(3)
    assert FusionInferer()(torch.rand(1, 2, 4, 4), network).max() <= 1


def test_values_that_are_not_finite_are_an_error() -> None:
    network = Maximum()
    network.weight.data.fill_(torch.nan)
    with pytest.raises(FusionError, match=r"^The network returned values that are not finite"):
        FusionInferer()(torch.rand(1, 2, 4, 4), network)


def test_metadata_goes_along() -> None:
    affine = torch.diag(torch.tensor([2.0, 3.0, 4.0, 1.0], dtype=torch.float64))
    fused = FusionInferer()(MetaTensor(torch.rand(1, 2, 4, 4, 3), affine=affine), Maximum())
    assert isinstance(fused, MetaTensor) and torch.equal(fused.affine, affine)


def test_other_shapes_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^inputs must be \(B, N, H, W\) or \(B, N, H, W, D\), not 3-dimensional$"
    ):
        FusionInferer()(torch.rand(2, 4, 4), Maximum())
