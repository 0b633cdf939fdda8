"""A pocket network that learns to classify: heads for it, its first weights and its last ones."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from dreamvid.networks.pocket import Pocket, Stem


class PocketClassifier(nn.Module):
    """A pocket network whose last stage is averaged over the picture and read by a linear head.

    The other stages' heads help it to learn, and each stage to be worth a dream; none is kept.
    """

    def __init__(self, pocket: Pocket, classes: int) -> None:
        super().__init__()
        self.pocket = pocket
        self.head = nn.Linear(pocket.stages[-1].channels, classes)
        self.helpers = nn.ModuleList(nn.Linear(s.channels, classes) for s in pocket.stages[:-1])

    def forward(self, inputs: Tensor) -> Tensor:
        """Scores (N, classes) of inputs (N, 3, H, W)."""
        return self.scores(inputs)[-1]

    def scores(self, inputs: Tensor) -> list[Tensor]:
        """The scores of each stage by a head of its own, the last stage's last."""
        means = [activation.mean((2, 3)) for _, activation in self.pocket.activations(inputs)]
        heads = [*self.helpers, self.head]
        return [head(mean) for head, mean in zip(heads, means, strict=True)]

    def start_anew(self) -> None:
        """Random weights, and batch normalisation, without which so deep a network hardly learns.

        The normalisation is of the training alone: `fold` takes it out again.
        """
        for parent, name, convolution in self._convolutions():
            nn.init.kaiming_normal_(convolution.weight)
            if convolution.bias is not None:
                nn.init.zeros_(convolution.bias)
                normalisation = nn.BatchNorm2d(convolution.out_channels)
                setattr(parent, name, nn.Sequential(convolution, normalisation))
        stem = self.pocket.blocks[0]
        assert isinstance(stem, Stem)
        with torch.no_grad():
            stem.basis.weight.copy_(oriented(*stem.basis.weight.shape[::2]))
            mix = stem.mix[0].weight.flatten(1)  # pyright: ignore
            for channel, row in enumerate(mix):
                # Light on dark and dark on light are told apart by the ReLU that follows.
                row.zero_()[channel % len(row)] = 1 if channel // len(row) % 2 == 0 else -1

    def fold(self) -> None:
        """Fold every batch normalisation into the convolution before it, which changes nothing."""
        self.eval()
        for parent in list(self.pocket.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, nn.Sequential):
                    setattr(parent, name, fuse_conv_bn_eval(child[0], child[1]))  # pyright: ignore

    def _convolutions(self) -> list[tuple[nn.Module, str, nn.Conv2d]]:
        return [
            (parent, name, child)
            for parent in self.pocket.modules()
            for name, child in parent.named_children()
            if isinstance(child, nn.Conv2d)
        ]

    @torch.no_grad()
    def balance(self, inputs: Tensor) -> None:
        """Set the units so that every layer has RMS 1 on `inputs`: all weigh alike in a dream."""
        found = torch.stack([a.pow(2).mean().sqrt() for _, a in self.pocket.activations(inputs)])
        self.pocket.units.copy_(1 / found.clamp(1e-3, 1e3))


def oriented(count: int, size: int) -> Tensor:
    """Gabor filters (count, 3, size, size), half of them grey, half in opposed colours.

    Blind to even areas, they let a small set of pictures teach shapes before it teaches colours.
    """
    axis = torch.arange(size) - size // 2
    colours = torch.tensor([[1.0, 1, 1], [1, 1, 1], [-1, 2, -1], [2, -1, -1]])
    filters = []
    for number in range(count):
        angle, phase = math.pi * (number // 2 % 8) / 8, math.pi / 2 * (number % 2)
        along = axis[None, :] * math.cos(angle) + axis[:, None] * math.sin(angle)
        wave = torch.cos(2 * math.pi * along / (size - 1) + phase)
        wave = wave * torch.exp(-(axis[None, :] ** 2 + axis[:, None] ** 2) / (size - 1))
        colour = colours[number // 8 % 4]
        filters.append((colour / colour.norm())[:, None, None] * (wave - wave.mean()))
    return F.normalize(torch.stack(filters).flatten(1)).unflatten(1, (3, size, size))
