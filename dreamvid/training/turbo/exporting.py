"""A turbo network for other programs: ONNX, or TorchScript for Nuke's CatFileCreator.

The exported network takes pictures (N, 3, H, W), RGB in [0, 1], of any size from 32 pixels a side,
and two numbers for each, (N, 1): how far the dream goes, in 8-bit levels, root mean square, and
nothing else. It gives dreamed pictures of the same size. It dreams one octave of the layer that the
network learned first.
"""

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dreamvid.dream.turbo.files import path_of, read_turbo
from dreamvid.dream.turbo.net import DEEP, MIDDLE, SHALLOW, STRIDE, TurboNet
from dreamvid.dream.turbo.travel import sized
from dreamvid.errors import MediaError, NetworkError
from dreamvid.media import atomic_write
from dreamvid.media.encoders import check_place
from dreamvid.networks.pocket import Stem

SUFFIXES = (".onnx", ".pt", ".torchscript")
OPSET = 18
CLOSE = 2e-3
"""How far an exported network's picture may be from torch's own, of 1."""


class OneOctave(nn.Module):
    """A turbo network as other programs want it: a picture in, a dreamed picture out."""

    def __init__(self, net: TurboNet) -> None:
        super().__init__()
        self.trunk, self.decoder = net.trunk, net.decoder
        weights = torch.zeros(1, len(net.layers))
        weights[0, 0] = 1
        self.weights = nn.Buffer(weights)

    def forward(self, picture: Tensor, levels: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] and (N, 1), in 8-bit levels, to (N, 3, H, W)."""
        height, width = picture.shape[-2], picture.shape[-1]
        whole = F.pad(picture, (0, -width % STRIDE, 0, -height % STRIDE), mode="reflect")
        condition = torch.cat([self.weights.expand(picture.shape[0], -1), levels.log2()], 1)
        field = self.decoder(whole - 0.5, self._seen(whole), condition)
        field = sized(field[:, :, :height, :width])
        return (picture + levels[:, :, None, None] / 255 * field).clamp(0, 1)

    def _seen(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """What `TurboNet.seen` gives, in operations that every program knows."""
        trunk, found = self.trunk, []
        x = trunk.preprocessing.to_input(pictures)
        for index in range(DEEP[0] + 1):
            stage, block = trunk.stages[index], trunk.blocks[index]
            if stage.pooled:
                x = F.max_pool2d(x, 3, 2, ceil_mode=True)
            if stage.normalised:
                alpha = 1e-4 * trunk.units[index - 1] ** 2
                x = F.local_response_norm(x, 5, float(alpha), 0.75, 1.0)
            if isinstance(block, Stem):
                x = F.conv2d(x, block.basis.weight, stride=2, padding=3)
                x = F.relu(F.max_pool2d(block.mix(x), 3, 2, ceil_mode=True))
            else:
                x = block(x)
            if index in (SHALLOW[0], MIDDLE[0], DEEP[0]):
                found.append(x)
        return tuple(found)


def export(asked: str, out: Path, overwrite: bool = False) -> Path:
    """Write the turbo network `asked` (``turbo`` or a file) to `out`, checked against torch.

    Raises:
        MediaError: `out` is no .onnx, .pt or .torchscript, or is there already.
        NetworkError: what writes or checks it is not installed, or the two do not agree.
    """
    if out.suffix not in SUFFIXES:
        raise MediaError(f"{out}: expected a name that ends in {', '.join(SUFFIXES)}")
    check_place(out, overwrite)
    module = OneOctave(read_turbo(path_of(asked)).net).eval()
    write = _onnx if out.suffix == ".onnx" else _torchscript
    with atomic_write(out) as part, torch.no_grad():
        write(module, part)
    return out


def _torchscript(module: OneOctave, part: Path) -> None:
    """Traced at one size; a check at another one must agree."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example = (torch.rand(1, 3, 64, 96), torch.tensor([[8.0]]))
        traced = torch.jit.trace(module, example, check_trace=False)
        torch.jit.save(traced, str(part))
        loaded = torch.jit.load(str(part))
        _must_agree(module, lambda picture, levels: loaded(picture, levels))


def _onnx(module: OneOctave, part: Path) -> None:
    try:
        import onnx  # pyright: ignore[reportMissingImports]  # noqa: F401
        import onnxruntime  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise NetworkError(
            f"turbo export: needs {error.name}; install it with pip install 'dreamvid[onnx]'"
        ) from None
    example = (torch.rand(1, 3, 64, 96), torch.tensor([[8.0]]))
    sizes = {0: "pictures", 2: "height", 3: "width"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            example,
            str(part),
            opset_version=OPSET,
            input_names=["picture", "levels"],
            output_names=["dream"],
            dynamic_axes={"picture": sizes, "dream": sizes, "levels": {0: "pictures"}},
            dynamo=False,
        )
    session = onnxruntime.InferenceSession(str(part), providers=["CPUExecutionProvider"])

    def run(picture: Tensor, levels: Tensor) -> Tensor:
        inputs = {"picture": picture.numpy(), "levels": levels.numpy()}
        return torch.from_numpy(session.run(None, inputs)[0])

    _must_agree(module, run)


def _must_agree(module: OneOctave, other) -> None:
    """Raise `NetworkError` where another size and batch give other pictures than torch's."""
    generator = torch.Generator().manual_seed(0)
    for size in ((48, 80), (57, 101)):
        picture = torch.rand(2, 3, *size, generator=generator)
        levels = torch.tensor([[3.0], [9.0]])
        apart = (module(picture, levels) - other(picture, levels)).abs().max().item()
        if not apart < CLOSE:
            raise NetworkError(
                f"turbo export: the exported network differs from torch's by {apart:.3g} at "
                f"{size[1]}x{size[0]}; nothing is written; please report it"
            )
