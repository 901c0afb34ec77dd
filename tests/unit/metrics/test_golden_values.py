"""Every metric against values from independent implementations on 12 pairs and 2 fusion rules."""

import pytest
import torch

from volfuse.metrics import METRICS

REFERENCE = {
    "en": "EN",
    "sd": "SD",
    "sf": "SF",
    "ag": "AG",
    "mi": "MI",
    "mi_nats": "MI_nats",
    "nmi": "NMI",
    "cc": "CC",
    "scd": "SCD",
}
PUBLISHED = {"sf": "SF_published", "ag": "AG_published", "scd": "SCD_published"}


@pytest.mark.parametrize(("name", "key"), REFERENCE.items())
def test_reference_convention_agrees(golden, name, key):
    values = METRICS[name](golden.fused, golden.sources)
    torch.testing.assert_close(values, golden.values(key), rtol=1e-3, atol=0)


@pytest.mark.parametrize(("name", "key"), PUBLISHED.items())
def test_published_convention_agrees(golden, name, key):
    values = METRICS[name](golden.fused, golden.sources, convention="published")
    torch.testing.assert_close(values, golden.values(key), rtol=1e-3, atol=0)


def test_edge_preservation_agrees(golden):
    # The golden code pads with zeros, which makes the frame of the image an edge; worth up to 1.05e-3 on CT.
    values = METRICS["qabf"](golden.fused, golden.sources)
    torch.testing.assert_close(values, golden.values("Qabf"), rtol=1.1e-3, atol=0)


def test_maximum_agrees_to_the_last_digit(golden):
    # No rounding stands between the sources and their maximum, so what is exact here is exact.
    maximum = [index for index, case in enumerate(golden.cases) if case["fused"] == "maximum"]
    for name, key in REFERENCE.items():
        values = METRICS[name](golden.fused[maximum], golden.sources[maximum])
        torch.testing.assert_close(values, golden.values(key)[maximum], rtol=1e-6, atol=0)
