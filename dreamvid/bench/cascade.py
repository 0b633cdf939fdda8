"""A frame as pytorch-deepdream makes it, rebuilt from its formulas.

The whole picture is enlarged from level to level by OpenCV; the network is GoogLeNet as
torchvision builds it, with batch normalisation, up to its block 4e; the gradient is smoothed by a
cascade of three Gaussians and divided by its standard deviation. Weights are random: they change
no time.
"""

from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dreamvid.dream.octaves import for_each_octave, octave_sizes
from dreamvid.frames import Size
from dreamvid.settings import Settings

LEARNING_RATE = 0.09
SMOOTHING = 0.5
REACH = 32


def network(device: torch.device) -> nn.Module:
    """Torchvision's GoogLeNet without what follows block 4e."""
    import torchvision.models

    model: Any = torchvision.models.googlenet(
        weights=None, aux_logits=False, init_weights=False, transform_input=True
    )
    kept = list(model.children())
    return (
        nn.Sequential(*kept[: kept.index(model.inception4e)])
        .eval()
        .requires_grad_(False)
        .to(device)
    )


def frame(picture: np.ndarray, model: nn.Module, settings: Settings, device: torch.device) -> Any:
    """A frame of float32 RGB (H, W, 3) in ImageNet's units."""
    generator = np.random.default_rng(0)
    height, width = picture.shape[:2]
    sizes = octave_sizes(Size(height, width), settings.octaves)
    counts = for_each_octave(settings.ascent.iterations, len(sizes), "ascent.iterations")
    for size, iterations in zip(sizes, counts, strict=True):
        picture = cv2.resize(picture, (size.width, size.height))
        image = torch.from_numpy(picture.transpose(2, 0, 1)[None].copy()).to(device)
        for index in range(iterations):
            down, right = generator.integers(-REACH, REACH + 1, 2).tolist()
            image = torch.roll(image, (down, right), (2, 3))
            image = step(image, model, (index + 1) / iterations)
            image = torch.roll(image, (-down, -right), (2, 3))
        picture = image[0].permute(1, 2, 0).cpu().numpy()
    return picture


def step(image: Tensor, model: nn.Module, done: float) -> Tensor:
    """One step on (1, 3, H, W); `done` is the share of the level's steps that it completes."""
    image = image.detach().requires_grad_(True)
    activation = model(image)
    F.mse_loss(activation, torch.zeros_like(activation)).backward()
    gradient = image.grad
    assert gradient is not None
    smoothed = torch.stack([_blurred(gradient, (2 * done + SMOOTHING) * k) for k in (0.5, 1, 2)])
    gradient = smoothed.mean(0)
    gradient = (gradient - gradient.mean()) / gradient.std()
    return (image.detach() + LEARNING_RATE * gradient).clamp(-2.2, 2.7)


def _blurred(gradient: Tensor, deviation: float) -> Tensor:
    line = torch.exp(-0.5 * (torch.arange(-4, 5, device=gradient.device) / deviation) ** 2)
    kernel = torch.outer(line, line) / line.sum() ** 2
    padded = F.pad(gradient, (4, 4, 4, 4), mode="reflect")
    return F.conv2d(padded, kernel.expand(3, 1, 9, 9), groups=3)
