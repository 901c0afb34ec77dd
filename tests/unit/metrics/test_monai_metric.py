"""FusionMetric where MONAI uses metrics: with batches and lists, behind Ignite handlers, from a configuration."""

import pytest
import torch
from ignite.engine import Engine
from monai.bundle import ConfigParser
from monai.handlers import IgniteMetricHandler, from_engine

from volfuse.metrics import METRICS, FusionMetric


@pytest.fixture
def batches():
    generator = torch.Generator().manual_seed(0)
    sources = torch.rand(3, 2, 24, 24, generator=generator)
    return [(images.amax(dim=1, keepdim=True), images) for images in sources.split([2, 1])]


def expected(name, batches, **options):
    return torch.cat([METRICS[name](fused, sources, **options) for fused, sources in batches])


def test_collects_batches_until_reset(batches):
    metric = FusionMetric(metric="sd")
    for fused, sources in batches:
        metric(y_pred=fused, y=sources)
    assert metric.aggregate().item() == pytest.approx(expected("sd", batches).mean().item())
    metric.reset()
    metric(y_pred=batches[1][0], y=batches[1][1])
    assert metric.aggregate().item() == pytest.approx(expected("sd", batches[1:]).item())


def test_takes_lists_of_channel_first_images(batches):
    fused, sources = batches[0]
    values = FusionMetric(metric="qabf")(y_pred=list(fused), y=list(sources))
    torch.testing.assert_close(values[:, 0], expected("qabf", batches[:1]))


def test_keeps_every_value_without_reduction(batches):
    metric = FusionMetric(metric="scd", convention="published", reduction="none")
    for fused, sources in batches:
        metric(y_pred=fused, y=sources)
    torch.testing.assert_close(metric.aggregate()[:, 0], expected("scd", batches, convention="published"))


def test_works_from_a_configuration_behind_an_ignite_handler(batches):
    parser = ConfigParser(
        {
            "imports": ["$import monai"],
            "handler": {
                "_target_": "IgniteMetricHandler",
                "metric_fn": {"_target_": "volfuse.metrics.FusionMetric", "metric": "qabf"},
                "output_transform": "$monai.handlers.from_engine(['pred', 'image'])",
            },
        }
    )
    handler = parser.get_parsed_content("handler")
    assert isinstance(handler, IgniteMetricHandler)
    evaluator = Engine(lambda engine, batch: [{"pred": f, "image": s} for f, s in zip(*batch, strict=True)])
    handler.attach(evaluator, "val_qabf")
    evaluator.run(batches)
    values = expected("qabf", batches)
    assert evaluator.state.metrics["val_qabf"] == pytest.approx(values.mean().item())
    torch.testing.assert_close(evaluator.state.metric_details["val_qabf"][:, 0], values)


def test_two_handlers_keep_their_values_apart(batches):
    evaluator = Engine(lambda engine, batch: {"pred": batch[0], "image": batch[1]})
    for name in ("en", "nabf"):
        handler = IgniteMetricHandler(
            FusionMetric(metric=name), output_transform=from_engine(["pred", "image"])
        )
        handler.attach(evaluator, name)
    evaluator.run(batches)
    for name in ("en", "nabf"):
        assert evaluator.state.metrics[name] == pytest.approx(expected(name, batches).mean().item())


def test_unknown_metric_is_refused_with_the_choices():
    with pytest.raises(ValueError) as refusal:
        FusionMetric(metric="psnr")
    assert str(refusal.value).startswith("There is no metric 'psnr'; choose from: en, sd, sf,")


def test_unknown_convention_is_refused_at_construction():
    with pytest.raises(ValueError) as refusal:
        FusionMetric(metric="sf", convention="paper")
    assert str(refusal.value) == "convention must be 'reference' or 'published', got 'paper'."


def test_missing_sources_and_empty_buffers_are_refused(batches):
    metric = FusionMetric(metric="sd")
    with pytest.raises(ValueError) as refusal:
        metric(y_pred=batches[0][0])
    assert str(refusal.value) == "FusionMetric needs the sources as y."
    with pytest.raises(ValueError) as refusal:
        metric.aggregate()
    assert str(refusal.value) == "FusionMetric has seen no image since the last reset."
