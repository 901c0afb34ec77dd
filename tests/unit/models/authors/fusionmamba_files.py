"""FusionMamba as its authors write it: names and shapes of their file, and the forward pass in those names.

Written from the papers (Xie et al. 2024, arXiv:2404.09498; EfficientVMamba, arXiv:2403.09977; Mamba, arXiv:2312.00752)
and the names in github.com/millieXie/FusionMamba.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

Tensors = dict[str, Tensor]
Shapes = dict[str, tuple[int, ...]]


def _pair(name: str, *shape: int) -> Shapes:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def _perceptron(name: str, width: int) -> Shapes:
    return (
        _pair(f"{name}.norm2", width)
        | _pair(f"{name}.mlp.fc1", 4 * width, width)
        | _pair(f"{name}.mlp.fc2", width, 4 * width)
    )


def _descriptive(name: str, width: int) -> Shapes:
    return {
        f"{name}.conv.weight": (width, width, 3, 3),
        f"{name}.base_mask": (width, width, 3, 3),
        f"{name}.learnable_mask": (width, width),
        f"{name}.learnable_theta": (1,),
    }


def _scan(name: str, width: int, states: int, inputs: tuple[str, ...]) -> Shapes:
    inner, rank = 2 * width, math.ceil(width / 16)
    return {
        **{f"{name}.{each}.weight": (2 * inner, width) for each in inputs},
        f"{name}.conv2d.weight": (inner, 1, 3, 3),
        f"{name}.conv2d.bias": (inner,),
        f"{name}.x_proj_weight": (4, rank + 2 * states, inner),
        f"{name}.dt_projs_weight": (4, inner, rank),
        f"{name}.dt_projs_bias": (4, inner),
        f"{name}.A_logs": (4 * inner, states),
        f"{name}.Ds": (4 * inner,),
        **_pair(f"{name}.out_norm", inner),
        f"{name}.out_proj.weight": (width, inner),
    }


def shapes(channels: int, depths: tuple[int, ...], states: int, revision: str = "Cross_layer") -> Shapes:
    """Names and shapes of one revision of their code: ``Cross_layer`` or ``DFEM``."""
    widths, last = [channels * 2**scale for scale in range(len(depths))], len(depths) - 1
    all_of: Shapes = {}
    for number in (1, 2):
        all_of |= _pair(f"patch_embed{number}.proj", channels, 1, 4, 4)
        all_of |= _pair(f"patch_embed{number}.norm", channels)
    for scale, (width, depth) in enumerate(zip(widths, depths, strict=True)):
        for stage in (f"layers.{scale}", f"layers_up.{last - scale}"):
            for block in range(depth):
                name = f"{stage}.blocks.{block}"
                all_of |= _pair(f"{name}.norm", width) | _scan(f"{name}.op", width, states, ("in_proj",))
                all_of |= _descriptive(f"{name}.conv_branch", width) | _perceptron(name, width)
                all_of[f"{name}.self_attention_cross_channel.conv.weight"] = (1, 1, 3)
                all_of |= _pair(f"{name}.se.norm", width)
                all_of |= _pair(f"{name}.se.global_reduce", width // 8, width)
                all_of |= _pair(f"{name}.se.channel_select", width, width // 8)
        if scale < last:
            all_of[f"layers.{scale}.downsample.reduction.weight"] = (2 * width, 4 * width)
            all_of |= _pair(f"layers.{scale}.downsample.norm", 4 * width)
            all_of[f"layers_up.{last - scale}.upsample.expand.weight"] = (4 * width, 2 * width)
            all_of |= _pair(f"layers_up.{last - scale}.upsample.norm", width)
        name = f"Cross_block.{scale}"
        all_of |= _pair(f"{name}.ln_1", width) | _pair(f"{name}.ln_2", width)
        for number in (1, 2):
            all_of |= _descriptive(f"{name}.{revision}.texture_enhance{number}", width)
        all_of |= _pair(f"{name}.{revision}.Diff_enhance.lastconv", width // 2, width, 1, 1)
        all_of |= _scan(f"{name}.self_attention_cross", width, states, ("in_proj1", "in_proj2"))
        attention = {"Cross_layer": "spatial", "DFEM": "eca"}[revision]
        all_of[f"{name}.self_attention_cross_{attention}.conv.weight"] = (1, 1, 3)
        if revision == "DFEM":
            all_of |= _perceptron(name, width)
    all_of["final_up.expand.weight"] = (4 * channels, channels)
    all_of |= _pair("final_up.norm", channels // 4) | _pair("final_conv", 1, channels // 4, 1, 1)
    return all_of


def randomly(shapes: Shapes) -> Tensors:
    """Random tensors of these shapes, of a size that signals pass; the masks that never learn are ones."""
    tensors = {}
    for name, shape in shapes.items():
        fan_in = torch.Size(shape[1:]).numel()
        tensors[name] = torch.randn(shape) / fan_in**0.5 if len(shape) > 1 else 0.3 * torch.randn(shape)
        if "norm" in name and name.endswith("weight"):
            tensors[name] += 1
        if name.endswith("base_mask"):
            tensors[name] = torch.ones(shape)
        if name.startswith("final_conv"):
            tensors[name] *= 0.02  # the fused image shall stay in 0..1, where nothing is clipped
    return tensors


def fuse(tensors: Tensors, depths: tuple[int, ...], sources: Tensor, revision: str = "Cross_layer") -> Tensor:
    """Fuse (1, 2, H, W) of a size that needs no padding, position after position."""
    last = len(depths) - 1
    features, skips = [], []
    for number in (1, 2):
        image = sources[:, number - 1 : number]
        weight, bias = (tensors[f"patch_embed{number}.proj.{part}"] for part in ("weight", "bias"))
        embedded = F.conv2d(image, weight, bias, stride=4)[0].permute(1, 2, 0)
        features.append(_norm(tensors, f"patch_embed{number}.norm", embedded))
    for scale, depth in enumerate(depths):
        skips.append(_fusion(tensors, f"Cross_block.{scale}", *features, revision))
        for block in range(depth):
            features = [_block(tensors, f"layers.{scale}.blocks.{block}", each) for each in features]
        if scale < last:
            name = f"layers.{scale}.downsample"
            features = [_halved(tensors, name, each) for each in features]
    fused = features[0] + features[1]
    for scale in reversed(range(len(depths))):
        stage = f"layers_up.{last - scale}"
        if scale < last:  # what the finest fusion gives is never added
            fused = _enlarged(tensors, f"{stage}.upsample", fused + skips[scale + 1], 2)
        for block in range(depths[scale]):
            fused = _block(tensors, f"{stage}.blocks.{block}", fused)
    fused = _enlarged(tensors, "final_up", fused, 4) @ tensors["final_conv.weight"].reshape(-1)
    times = {"Cross_layer": 2, "DFEM": 1}[revision]
    return fused + tensors["final_conv.bias"] + times * (sources[0, 0] + sources[0, 1])


def _norm(tensors: Tensors, name: str, x: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    scaled = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    return scaled * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]


def _linear(tensors: Tensors, name: str, x: Tensor) -> Tensor:
    return x @ tensors[f"{name}.weight"].T + tensors.get(f"{name}.bias", torch.zeros((), dtype=x.dtype))


def _conv(x: Tensor, weight: Tensor, bias: Tensor | None = None, groups: int = 1) -> Tensor:
    return F.conv2d(x.permute(2, 0, 1)[None], weight, bias, padding=1, groups=groups)[0].permute(1, 2, 0)


def _perceived(tensors: Tensors, name: str, x: Tensor) -> Tensor:
    hidden = F.gelu(_linear(tensors, f"{name}.mlp.fc1", _norm(tensors, f"{name}.norm2", x)))
    return x + _linear(tensors, f"{name}.mlp.fc2", hidden)


def _described(tensors: Tensors, name: str, x: Tensor) -> Tensor:
    weight = tensors[f"{name}.conv.weight"]
    kernel = weight.clone()
    less = tensors[f"{name}.learnable_theta"] * tensors[f"{name}.learnable_mask"] * weight.sum((2, 3))
    kernel[:, :, 1, 1] *= 1 - less
    return _conv(x, kernel)


def _attended(tensors: Tensors, name: str, x: Tensor) -> Tensor:
    means = F.pad(x.mean((0, 1)), (1, 1))
    weights = tensors[f"{name}.conv.weight"].reshape(3)
    return x * torch.sigmoid(means[:-2] * weights[0] + means[1:-1] * weights[1] + means[2:] * weights[2])


def _gated(tensors: Tensors, name: str, x: Tensor) -> Tensor:
    means = _norm(tensors, f"{name}.norm", x).mean((0, 1))
    hidden = F.gelu(_linear(tensors, f"{name}.global_reduce", means))
    return x * torch.sigmoid(_linear(tensors, f"{name}.channel_select", hidden))


def _states(tensors: Tensors, name: str, x: Tensor) -> Tensor:
    """The scan of the four sub-grids: those of odd rows column by column."""
    height, width, inner = x.shape
    result = torch.empty_like(x)
    for grid, (row, column) in enumerate([(0, 0), (1, 0), (0, 1), (1, 1)]):
        places = [(r, c) for r in range(row, height, 2) for c in range(column, width, 2)]
        if row:
            places.sort(key=lambda place: (place[1], place[0]))
        matrix = -tensors[f"{name}.A_logs"][grid * inner : (grid + 1) * inner].exp()
        skip = tensors[f"{name}.Ds"][grid * inner : (grid + 1) * inner]
        state = torch.zeros_like(matrix)
        for place in places:
            projected = tensors[f"{name}.x_proj_weight"][grid] @ x[place]
            rank = len(projected) - 2 * matrix.shape[1]
            step, into, out = projected.split([rank, matrix.shape[1], matrix.shape[1]])
            step = tensors[f"{name}.dt_projs_weight"][grid] @ step + tensors[f"{name}.dt_projs_bias"][grid]
            step = F.softplus(step)[:, None]
            state = (step * matrix).exp() * state + step * into * x[place][:, None]
            result[place] = state @ out + skip * x[place]
    return _norm(tensors, f"{name}.out_norm", result)


def _mixed(tensors: Tensors, name: str, x: Tensor) -> Tensor:
    weight, bias = tensors[f"{name}.conv2d.weight"], tensors[f"{name}.conv2d.bias"]
    return F.silu(_conv(x, weight, bias, groups=len(weight)))


def _block(tensors: Tensors, name: str, x: Tensor) -> Tensor:
    values, gate = _linear(tensors, f"{name}.op.in_proj", _norm(tensors, f"{name}.norm", x)).chunk(2, -1)
    scanned = _states(tensors, f"{name}.op", _mixed(tensors, f"{name}.op", values)) * F.silu(gate)
    scanned = _linear(tensors, f"{name}.op.out_proj", scanned)
    attended = scanned + _attended(tensors, f"{name}.self_attention_cross_channel", scanned)
    described = _described(tensors, f"{name}.conv_branch", attended)
    x = x + _gated(tensors, f"{name}.se", scanned) + _gated(tensors, f"{name}.se", described)
    return _perceived(tensors, name, x)


def _fusion(tensors: Tensors, name: str, first: Tensor, second: Tensor, revision: str) -> Tensor:
    enhanced = []
    for number, (own, other) in enumerate([(first, second), (second, first)], 1):
        lacks = torch.sigmoid((own - other).mean((0, 1)))
        texture = _described(tensors, f"{name}.{revision}.texture_enhance{number}", own)
        enhanced.append(_norm(tensors, f"{name}.ln_{number}", texture + lacks * (own + other) + own))
    scan = f"{name}.self_attention_cross"
    (one, gate), (two, _) = (
        _linear(tensors, f"{scan}.in_proj{number}", each).chunk(2, -1)
        for number, each in enumerate(enhanced, 1)
    )
    one, two = _mixed(tensors, scan, one), _mixed(tensors, scan, two)
    common = _states(tensors, scan, one * two + one + two)
    common = _linear(tensors, f"{scan}.out_proj", common * F.silu(gate) + common * F.silu(F.silu(gate)))
    attention = {"Cross_layer": "spatial", "DFEM": "eca"}[revision]
    fused = first + second + common + _attended(tensors, f"{scan}_{attention}", common)
    return _perceived(tensors, name, fused) if revision == "DFEM" else fused


def _halved(tensors: Tensors, name: str, x: Tensor) -> Tensor:
    cells = [x[0::2, 0::2], x[1::2, 0::2], x[0::2, 1::2], x[1::2, 1::2]]
    return _linear(tensors, f"{name}.reduction", _norm(tensors, f"{name}.norm", torch.cat(cells, -1)))


def _enlarged(tensors: Tensors, name: str, x: Tensor, scale: int) -> Tensor:
    height, width, _ = x.shape
    cells = _linear(tensors, f"{name}.expand", x).reshape(height, width, scale, scale, -1)
    enlarged = torch.einsum("hwpqc->hpwqc", cells).reshape(height * scale, width * scale, -1)
    return _norm(tensors, f"{name}.norm", enlarged)
