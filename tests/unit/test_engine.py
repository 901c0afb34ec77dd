from pathlib import Path

import torch
from ignite.engine import Engine

from volfuse.engine import FreezeBatchNorm, FusionPrepareBatch, fusion_metric_handlers, newest_checkpoint
from volfuse.networks import LightFusionNet


def test_the_sources_are_the_label() -> None:
    image = torch.rand(2, 2, 4, 4)
    inputs, label = FusionPrepareBatch()({"image": image}, "cpu")
    assert inputs is label and torch.equal(inputs, image)


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


def test_checkpoints_are_ordered_by_number(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path) is None
    for epoch in (90, 100, 20):
        (tmp_path / f"checkpoint_epoch={epoch}.pt").touch()
    assert newest_checkpoint(tmp_path) == str(tmp_path / "checkpoint_epoch=100.pt")


def test_metric_handlers_carry_their_titles() -> None:
    handlers = fusion_metric_handlers({"Qabf": ["qabf", "reference"], "SF_published": ["sf", "published"]})
    assert list(handlers) == ["Qabf", "SF_published"]
    assert handlers["SF_published"]._metric_fn.convention == "published"
