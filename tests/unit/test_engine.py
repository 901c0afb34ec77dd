from pathlib import Path

import pytest
import torch
from ignite.engine import Engine
from monai.handlers import CheckpointSaver

from volfuse.engine import (
    FreezeBatchNorm,
    FusionPrepareBatch,
    HalfPrecision,
    clip_gradients,
    fusion_metric_handlers,
)
from volfuse.metrics import METRICS
from volfuse.networks import LightFusionNet


def test_the_sources_are_the_label() -> None:
    image = torch.rand(2, 2, 4, 4)
    inputs, label = FusionPrepareBatch()({"image": image}, "cpu")
    assert inputs is label and torch.equal(inputs, image)


def test_a_known_truth_can_be_the_label() -> None:
    batch = {"image": torch.rand(2, 11, 4, 4), "truth": torch.rand(2, 1, 4, 4)}
    inputs, label = FusionPrepareBatch("truth")(batch, "cpu")
    assert torch.equal(inputs, batch["image"]) and torch.equal(label, batch["truth"])


def test_batch_statistics_are_fixed_after_the_chosen_epoch() -> None:
    network = LightFusionNet()
    means = []

    def iteration(engine: Engine, batch: torch.Tensor) -> None:
        network.train()
        network(batch)

    trainer = Engine(iteration)
    FreezeBatchNorm(network, epoch=2).attach(trainer)
    layer = network.decoder[0][2]
    trainer.add_event_handler("EPOCH_COMPLETED", lambda: means.append(layer.running_mean.clone()))
    trainer.run([torch.rand(2, 2, 8, 8)], max_epochs=4)
    assert not torch.equal(means[0], means[1])
    assert torch.equal(means[1], means[2]) and torch.equal(means[2], means[3])
    assert all(parameter.requires_grad for parameter in layer.parameters())


def test_a_network_is_saved_in_half_the_bytes_and_loads_in_its_own_precision(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Linear(300, 300), torch.nn.BatchNorm1d(300))
    network[1].running_var.fill_(1e6)
    trainer = Engine(lambda engine, batch: None)
    saver = CheckpointSaver(
        str(tmp_path), {"model": HalfPrecision(network)}, save_final=True, final_filename="model.pt"
    )
    saver.attach(trainer)
    trainer.run([0])
    assert 300 * 300 * 2 < (tmp_path / "model.pt").stat().st_size < 300 * 300 * 2.2
    loaded = torch.nn.Sequential(torch.nn.Linear(300, 300), torch.nn.BatchNorm1d(300))
    loaded.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
    assert {value.dtype for value in loaded.state_dict().values()} == {torch.float32, torch.int64}
    assert torch.equal(loaded[1].running_var, network[1].running_var)
    torch.testing.assert_close(loaded[0].weight, network[0].weight, rtol=2**-11, atol=2**-24)
    assert not torch.equal(loaded[0].weight, network[0].weight)


def test_metric_handlers_average_under_their_titles() -> None:
    fused, sources = torch.rand(3, 1, 16, 16), torch.rand(3, 2, 16, 16)
    evaluator = Engine(lambda engine, batch: {"pred": fused, "label": sources})
    for title, handler in fusion_metric_handlers(
        {"SF": ["sf", "reference"], "SF_published": ["sf", "published"]}
    ).items():
        handler.attach(evaluator, title)
    metrics = evaluator.run([0]).metrics
    for title, convention in (("SF", "reference"), ("SF_published", "published")):
        expected = METRICS["sf"](fused, sources, convention=convention).mean().item()
        assert metrics[title] == pytest.approx(expected)


def test_long_gradients_are_cut_before_a_step() -> None:
    network = torch.nn.Linear(3, 1, bias=False)
    start = network.weight.detach().clone()
    optimizer = clip_gradients(torch.optim.SGD(network.parameters(), lr=1.0), network, 0.5)
    (1000 * network.weight).sum().backward()
    optimizer.step()
    assert (network.weight - start).norm().item() == pytest.approx(0.5, abs=1e-4)
