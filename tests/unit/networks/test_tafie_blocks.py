import math

import pytest
import torch
from torch import nn

from volfuse.networks.tafie import blocks
from volfuse.networks.tafie.blocks import (
    DynamicConv,
    EdgeEncoder,
    EntropyAttention,
    channel_entropy,
    chunk_by_chunk,
)
from volfuse.networks.tafie.network import LOCAL_CHANNELS, LocalEncoder, WeightMapFusion
from volfuse.networks.tafie.token_transformer import TopKTransformer


def test_maps_are_the_weights_of_the_features() -> None:
    fusion = WeightMapFusion(4, 8)
    features = torch.rand(2, 4, 8, 9, 7)
    fused, weights = fusion(features)
    torch.testing.assert_close(fused, (weights[:, :, None] * features).sum(1))
    assert (weights - 0.25).abs().max() > 0.01


def test_half_precision_does_not_confuse_scores() -> None:
    transformer = TopKTransformer(8, num_heads=2, topk=1)
    transformer.importance.weight.data = torch.eye(8)[:1]
    # Scores that bfloat16 cannot tell apart, and values that differ by a lot.
    features = torch.zeros(1, 8, 1, 64)
    features[0, 0, 0] = 1 + torch.arange(64) * 1e-5
    features[0, 1, 0] = torch.arange(64) / 64
    with torch.no_grad():
        exact = transformer(features)
        with torch.autocast("cpu", torch.bfloat16):
            fused = transformer(features).float()
    torch.testing.assert_close(fused, exact, rtol=0, atol=0.02)


def test_chunks_give_what_the_whole_image_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = EntropyAttention(12), TopKTransformer(12, num_heads=2)
    features = torch.rand(2, 12, 30, 21)
    whole = [layer(features) for layer in layers]
    monkeypatch.setattr(blocks, "_CHUNK_VALUES", 2 * 12 * 21 * 7)
    numbered = chunk_by_chunk(lambda some: torch.full_like(some, some.shape[2]), features)
    assert numbered[0, 0, :, 0].tolist() == 28 * [7] + 2 * [2]
    for layer, expected in zip(layers, whole, strict=True):
        torch.testing.assert_close(layer(features), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("scale", [0.01, 1, 30, 1e4])
def test_entropy_lies_between_zero_and_the_logarithm_of_the_channels(scale: float) -> None:
    entropy = channel_entropy(torch.randn(2, 12, 16, 16) * scale)
    assert entropy.shape == (2, 1, 16, 16)
    assert entropy.min() >= 0 and entropy.max() <= math.log(12) + 1e-5


def test_entropy_of_known_distributions() -> None:
    distributions = torch.tensor(
        [[0.25] * 4, [0.5, 0.5, 1e-30, 1e-30], [1, 1e-30, 1e-30, 1e-30], [0.5, 0.25, 0.125, 0.125]]
    )
    features = distributions.log().T[None, :, None] + 7
    expected = torch.tensor([2, 1, 0, 1.75]) * math.log(2)
    torch.testing.assert_close(channel_entropy(features)[0, 0, 0], expected, rtol=0, atol=1e-5)


def test_entropy_exceeds_the_published_approximation_by_its_small_constant() -> None:
    features = torch.randn(1, 32, 24, 24, dtype=torch.float64)
    probabilities = features.softmax(1)
    published = -(probabilities * (probabilities + 1e-6).log()).sum(1, keepdim=True)
    excess = channel_entropy(features) - published
    assert excess.min() >= -1e-6 and excess.max() <= 32 * 1e-6 + 2e-6


def test_entropy_is_computed_in_single_precision() -> None:
    features = (torch.randn(1, 96, 8, 8) * 5).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        entropy = channel_entropy(features)
    torch.testing.assert_close(entropy, channel_entropy(features.float()), rtol=0, atol=0)


def test_a_token_transformer_knows_no_positions() -> None:
    transformer = TopKTransformer(16, num_heads=4)
    features = torch.randn(2, 16, 9, 11)
    for move in (lambda x: x.flip(3), lambda x: x.transpose(2, 3)):
        torch.testing.assert_close(
            transformer(move(features)), move(transformer(features)), rtol=0, atol=1e-5
        )


def test_only_the_most_important_tokens_reach_other_pixels() -> None:
    transformer = TopKTransformer(8, num_heads=2, topk=2)
    transformer.importance.weight.data = torch.eye(8)[:1]
    features = torch.rand(1, 8, 4, 4)
    features[0, 0].view(-1)[[3, 9]] = 2.0
    before = transformer(features)
    for pixel, reaches in ((9, True), (5, False)):
        changed = features.clone()
        changed[0, 1:].view(7, 16)[:, pixel] += 1
        moved = (transformer(changed) - before).abs().amax(1).flatten() > 1e-4
        assert moved[pixel]
        assert moved[torch.arange(16) != pixel].all() == reaches
        assert moved[torch.arange(16) != pixel].any() == reaches


def test_a_local_encoder_adds_embedding_refinement_and_edges() -> None:
    embed, edges = nn.Conv2d(1, LOCAL_CHANNELS, 1), nn.Conv2d(1, 5, 1)
    encoder = LocalEncoder(embed, refine=nn.Identity(), channels=5, edges=edges)
    image = torch.rand(1, 1, 6, 7)
    torch.testing.assert_close(encoder(image), encoder.widen(2 * embed(image)) + edges(image))


def test_edges_of_a_ramp_are_its_slope() -> None:
    encoder = EdgeEncoder(4)
    encoder.embed = nn.Identity()
    rows, columns = torch.meshgrid(torch.arange(12.0), torch.arange(10.0), indexing="ij")
    ramp = (0.03 * columns - 0.04 * rows)[None, None]
    torch.testing.assert_close(
        encoder(ramp)[..., 1:-1, 1:-1], torch.full((1, 1, 10, 8), 8 * 0.05), rtol=0, atol=1e-4
    )


def test_the_gate_of_the_dynamic_convolution_follows_the_mean_brightness() -> None:
    dynamic = DynamicConv(6)
    gate = dynamic.gate[2]
    gate.weight.data, gate.bias.data = torch.tensor([[-400.0], [400.0]]), torch.tensor([200.0, -200.0])
    dark, bright = torch.rand(1, 1, 9, 9) * 0.4, 0.6 + torch.rand(1, 1, 9, 9) * 0.4
    torch.testing.assert_close(dynamic(dark), dynamic.fine(dark).relu())
    torch.testing.assert_close(dynamic(bright), dynamic.coarse(bright).relu())
