"""The space of frequencies: soft light, clean textures, no grain.

Source: lucid's parameterisation of images (Olah, Mordvintsev and Schubert, "Feature
Visualization", 2017): the spectrum of colours without correlation, each frequency scaled as it is
in photographs, before a sigmoid.
"""

from typing import Annotated, Literal

import torch
from torch import Tensor

from dreamvid.dream.spaces.colours import gathered, spread, steepness
from dreamvid.dream.spaces.registered import Space, spaces
from dreamvid.dream.spaces.views import Views
from dreamvid.frames import Key, Size, drawn, size_of
from dreamvid.registry import Within

FAINT = 0.05
"""Standard deviation of the numbers that a start from noise has."""
QUARTER = 4
"""What lucid divides its values by; with it, a number of hers is a number here."""


@spaces.register
def fourier(
    pictures: Tensor,
    key: Key | None,
    *,
    begin: Literal["picture", "noise"] = "picture",
    decay: Annotated[float, Within(0, 4)] = 1.0,
    turn: Annotated[float, Within(0, 180)] = 10.0,
    scale: Annotated[float, Within(0, 0.9)] = 0.1,
    crops: Annotated[int, Within(0, 64)] = 0,
    crop: Annotated[float, Within(0.05, 1)] = 0.5,
    noise: Annotated[float, Within(0, 1)] = 0.0,
) -> Space:
    """Frequencies, as strong as in photographs: clean textures and soft light (lucid).

    `begin` with the picture, or with faint noise of its size. Frequencies count as 1/f to the power
    of `decay`. At each step the picture is seen turned by up to `turn` degrees and larger or
    smaller by up to `scale`, or in `crops` parts whose sides are `crop` of its shorter side; with
    `noise`.
    """
    size = size_of(pictures)
    values = spread(pictures)
    strength = strengths(size, decay, values)
    if begin == "noise" and key is not None:
        generator = torch.Generator().manual_seed(drawn((*key, 7), 0, 2**62))
        shape = (*values.shape[:2], *strength.shape, 2)
        numbers = (FAINT * torch.randn(shape, generator=generator)).to(values)
        values = torch.zeros_like(values)
    else:
        numbers = torch.view_as_real(torch.fft.rfft2(values) / strength)

    def shown(numbers: Tensor) -> Tensor:
        spectrum = torch.view_as_complex(numbers) * strength
        return gathered(torch.fft.irfft2(spectrum, s=tuple(size)))

    # The mean square of values whose every number is 1 or -1; most frequencies stand for two.
    power = 4 * strength.square().sum() / (size.height * size.width) ** 2
    unit = 1 / (float(power.sqrt()) * steepness(values))
    return Space(numbers, shown, unit, Views(turn, scale, crops, crop, noise=noise))


def strengths(size: Size, decay: float, like: Tensor) -> Tensor:
    """How strong each frequency of a picture is for each number: (H, W // 2 + 1)."""
    rows = torch.fft.fftfreq(size.height, dtype=torch.float64)[:, None]
    columns = torch.fft.rfftfreq(size.width, dtype=torch.float64)[None, :]
    frequency = (rows**2 + columns**2).sqrt().clamp_min(1 / max(size))
    root = (size.height * size.width) ** 0.5
    return (root / QUARTER / frequency**decay).to(like)
