"""CrossFuse as its authors write it: names and shapes of their files, and the forward pass in those names.

Written from the paper (Li and Wu 2024, doi:10.1016/j.inffus.2023.102147) and the names in github.com/hli1221/CrossFuse.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

WIDTH, HEADS, WINDOW = 512, 16, 32
Tensors = dict[str, Tensor]
Shapes = dict[str, tuple[int, ...]]


def _conv(name: str, out_channels: int, in_channels: int, kernel: int = 3) -> Shapes:
    return {
        f"{name}.conv2d.0.weight": (out_channels, in_channels, kernel, kernel),
        f"{name}.conv2d.0.bias": (out_channels,),
    }


def _pair(name: str, *shape: int) -> Shapes:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def autoencoder_shapes() -> Shapes:
    shapes = _conv("fea_encoder1.conv1", 32, 1)
    for block, channels in ((0, 32), (2, 128)):
        dense = f"fea_encoder1.dense_blocks.{block}"
        for number in range(3):
            shapes |= _conv(f"{dense}.dense_conv{number}", 64, channels + 64 * number)
        shapes |= _conv(f"{dense}.adjust_conv", 128, channels + 192)
    sizes = {"conv1": (64, 128), "conv_block.0": (64, 64), "conv_block.2": (32, 64)}
    for name, size in sizes.items():
        shapes |= _conv(f"recon_decoder1.{name}", *size)
    return shapes | _conv("recon_decoder1.conv_last", 1, 32, 1)


def fusion_shapes(depth_self: int = 1, depth_cross: int = 1) -> Shapes:
    shapes: Shapes = {}
    modules = [f"self_atten_block{block}.self_atten{number}" for block in (1, 2) for number in (1, 2)]
    modules += [f"cross_atten_block.cross_atten{number}" for number in (1, 2)]
    for module in modules:
        name, crosses = f"cross_atten_block.{module}", "cross_atten_block" in module
        shapes |= _pair(f"{name}.norm", WIDTH)
        for depth in range(depth_cross if crosses else depth_self):
            block = f"{name}.blocks.{depth}"
            shapes |= _pair(f"{block}.norm1", WIDTH) | _pair(f"{block}.norm2", WIDTH)
            shapes |= _pair(f"{block}.attn.qkv", 3 * WIDTH, WIDTH) | _pair(f"{block}.attn.proj", WIDTH, WIDTH)
            for letter in "qkv" if crosses else "":
                shapes |= _pair(f"{block}.attn.{letter}_linear", WIDTH, WIDTH)
            shapes |= _pair(f"{block}.mlp.fc1", 4 * WIDTH, WIDTH) | _pair(
                f"{block}.mlp.fc2", WIDTH, 4 * WIDTH
            )
    shapes["conv_gra.weight"] = (32, 32, 3, 3)
    shapes["decoder_fusion.weight.conv_sh.weight"] = (32, 32, 3, 3)
    shapes["decoder_fusion.weight.conv_de.weight"] = (128, 128, 3, 3)
    sizes = {
        "conv1": (64, 128),
        "conv_block.0": (64, 64),
        "conv_block.2": (32, 64),
        "conv_block.4": (32, 32),
        "conv_last": (1, 32, 1),
    }
    for name, size in sizes.items():
        shapes |= _conv(f"decoder_fusion.{name}", *size)
        norm = f"decoder_fusion.{name}.conv2d.1"
        shapes |= {f"{norm}.{part}": size[:1] for part in ("weight", "bias", "running_mean", "running_var")}
        shapes[f"{norm}.num_batches_tracked"] = ()
    return shapes


def randomly(shapes: Shapes) -> Tensors:
    """Random tensors of these shapes, of a size that signals pass; box filters are box filters."""
    tensors = {}
    for name, shape in shapes.items():
        fan_in = torch.Size(shape[1:]).numel()
        tensors[name] = torch.randn(shape) / fan_in**0.5 if len(shape) > 1 else 0.1 * torch.randn(shape)
        if name.endswith("conv2d.1.weight") or (".norm" in name and name.endswith("weight")):
            tensors[name] += 1
        if name.endswith("running_var"):
            tensors[name] = 0.5 + torch.rand(shape)
        if name.endswith("num_batches_tracked"):
            tensors[name] = torch.tensor(20_000)
        if name.startswith("decoder_fusion.weight."):
            tensors[name] = torch.full(shape, 1 / 9)
    return tensors


def fuse(visible: Tensors, infrared: Tensors, fusion: Tensors, sources: Tensor) -> Tensor:
    """Fuse (1, 2, 256, 256), the visible image first: their network on an image of one window."""
    vi_shallow, vi_deep = _encode(visible, sources[:, :1])
    ir_shallow, ir_deep = _encode(infrared, sources[:, 1:])
    maps = {1: ir_deep, 2: vi_deep}  # by the numbers of their modules
    tokens = {}
    for number, features in maps.items():
        own = _self_attention(fusion, f"self_atten_block1.self_atten{number}", _tokens(features))
        rolled = _tokens(torch.roll(_map(own), (-WINDOW // 2, -WINDOW // 2), (2, 3)))
        rolled = _self_attention(fusion, f"self_atten_block2.self_atten{number}", rolled)
        tokens[number] = _tokens(torch.roll(_map(rolled), (WINDOW // 2, WINDOW // 2), (2, 3)))
    # The first one asks with the infrared tokens for the visible ones, the second the other way round.
    fused = _map(_cross(fusion, 1, tokens[2], tokens[1]) + _cross(fusion, 2, tokens[1], tokens[2]))

    box = fusion["decoder_fusion.weight.conv_de.weight"]
    vi_weight, ir_weight = (F.conv2d(deep, box, padding=1) for deep in (vi_deep, ir_deep))
    total = vi_weight + ir_weight + 1e-6
    fused = fused + ir_weight / total * ir_deep + vi_weight / total * vi_deep
    for name in ("conv1", "conv_block.0", "conv_block.2"):
        fused = F.interpolate(_conv_norm(fusion, name, fused), scale_factor=2)
    fused = _conv_norm(fusion, "conv_block.4", fused)

    box = fusion["decoder_fusion.weight.conv_sh.weight"]
    vi_weight, ir_weight = ((x - F.conv2d(x, box, padding=1)).abs() for x in (vi_shallow, ir_shallow))
    total = vi_weight + ir_weight + 1e-6
    fused = fused + 0.5 * ir_weight / total * ir_shallow + vi_weight / total * vi_shallow
    fused = _conv_norm(fusion, "conv_last", fused)
    return (fused - fused.min()) / (fused.max() - fused.min())


def _reflect(tensors: Tensors, name: str, features: Tensor) -> Tensor:
    weight = tensors[f"{name}.conv2d.0.weight"]
    padded = F.pad(features, [weight.shape[-1] // 2] * 4, mode="reflect")
    return F.conv2d(padded, weight, tensors[f"{name}.conv2d.0.bias"])


def _conv_norm(tensors: Tensors, name: str, features: Tensor) -> Tensor:
    name = f"decoder_fusion.{name}"
    parts = (tensors[f"{name}.conv2d.1.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
    mean, variance, weight, bias = (part[:, None, None] for part in parts)
    return (_reflect(tensors, name, features) - mean) / (variance + 1e-5).sqrt() * weight + bias


def _encode(tensors: Tensors, image: Tensor) -> tuple[Tensor, Tensor]:
    shallow = _reflect(tensors, "fea_encoder1.conv1", image)
    deep = F.max_pool2d(shallow, 2)
    for block in (0, 2):
        dense = f"fea_encoder1.dense_blocks.{block}"
        for number in range(3):
            deep = torch.cat([deep, _reflect(tensors, f"{dense}.dense_conv{number}", deep)], 1)
        deep = F.max_pool2d(_reflect(tensors, f"{dense}.adjust_conv", deep), 2)
    return shallow, deep


def _tokens(features: Tensor) -> Tensor:
    """(1, 128, 32, 32) -> (256, 512): 2x2 patches row by row."""
    patches = features[0].reshape(128, 16, 2, 16, 2)
    return torch.einsum("crpsq->rscpq", patches).reshape(256, WIDTH)


def _map(tokens: Tensor) -> Tensor:
    return torch.einsum("rscpq->crpsq", tokens.reshape(16, 16, 128, 2, 2)).reshape(1, 128, WINDOW, WINDOW)


def _norm(tensors: Tensors, name: str, tokens: Tensor) -> Tensor:
    return F.layer_norm(tokens, (WIDTH,), tensors[f"{name}.weight"], tensors[f"{name}.bias"], 1e-6)


def _linear(tensors: Tensors, name: str, tokens: Tensor) -> Tensor:
    return tokens @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]


def _finish(tensors: Tensors, block: str, residual: Tensor, qkv: tuple[Tensor, ...], sign: int) -> Tensor:
    """Attention head by head (``sign`` -1: re-softmax), projection, perceptron; both with what they are added to."""
    heads = []
    for query, key, value in zip(*(part.split(WIDTH // HEADS, 1) for part in qkv), strict=True):
        scores = query @ key.T / (WIDTH / HEADS) ** 0.5
        heads.append(torch.softmax(sign * scores, 1) @ value)
    mixed = residual + _linear(tensors, f"{block}.attn.proj", torch.cat(heads, 1))
    hidden = F.gelu(_linear(tensors, f"{block}.mlp.fc1", _norm(tensors, f"{block}.norm2", mixed)))
    return mixed + _linear(tensors, f"{block}.mlp.fc2", hidden)


def _self_attention(tensors: Tensors, module: str, tokens: Tensor) -> Tensor:
    block = f"cross_atten_block.{module}.blocks.0"
    packed = _linear(tensors, f"{block}.attn.qkv", _norm(tensors, f"{block}.norm1", tokens))
    return _finish(tensors, block, tokens, packed.split(WIDTH, 1), 1)


def _cross(tensors: Tensors, number: int, own: Tensor, other: Tensor) -> Tensor:
    module = f"cross_atten_block.cross_atten_block.cross_atten{number}"
    block = f"{module}.blocks.0"
    own_normed, other_normed = (_norm(tensors, f"{block}.norm1", each) for each in (own, other))
    qkv = tuple(
        _linear(tensors, f"{block}.attn.{letter}_linear", tokens)
        for letter, tokens in zip("qkv", (other_normed, own_normed, own_normed), strict=True)
    )
    return _norm(tensors, f"{module}.norm", _finish(tensors, block, own, qkv, -1))
