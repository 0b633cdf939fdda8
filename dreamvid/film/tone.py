"""The tone of a picture, and how a film is kept from drifting away from it.

A picture that is fed back hundreds of times gets a little darker, more colourful or flatter with
every frame. The anchor takes a share of that drift back before each dream.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from dreamvid.film.compositing import luma_of
from dreamvid.frames import Frame
from dreamvid.machine import devices

STRONGEST = 4.0
"""The largest factor on contrast and saturation at once; a flat seed has neither of them."""


@dataclass(frozen=True)
class Tone:
    """Three numbers of a picture with values from 0 to 1, each a tensor without axes."""

    mean: Tensor
    """Of the luma."""
    contrast: Tensor
    """The luma's standard deviation."""
    saturation: Tensor
    """The root mean square of the channels' distance from the luma."""

    def leaving(self) -> Callable[[], dict[str, float]]:
        """Start copying the numbers to the processor; the result waits and gives them by name."""
        values = devices.leaving(*vars(self).values())
        return lambda: {
            name: round(value.item(), 4) for name, value in zip(vars(self), values(), strict=True)
        }


def tone_of(frame: Frame) -> Tone:
    """The tone of a frame (3, H, W)."""
    luma = luma_of(frame)
    saturation = (frame - luma).pow(2).mean().sqrt()
    return Tone(luma.mean(), luma.std(correction=0), saturation)


def anchored(frame: Frame, anchor: Tone, share: float) -> Frame:
    """`frame` with its tone brought nearer to the anchor's, by `share` (0 to 1) of the way."""
    if not share:
        return frame
    luma = luma_of(frame)
    colour = frame - luma
    now = tone_of(frame)
    mean = torch.lerp(now.mean, anchor.mean, share)
    contrast = _ratio(anchor.contrast, now.contrast) ** share
    saturation = _ratio(anchor.saturation, now.saturation) ** share
    return (mean + (luma - now.mean) * contrast + colour * saturation).clamp(0, 1)


def share_of(strength: float, seconds: Fraction) -> float:
    """The share that each frame takes back, so that a second of them takes back `strength`."""
    return 1 - (1 - strength) ** float(seconds)


def _ratio(wanted: Tensor, now: Tensor) -> Tensor:
    return ((wanted + 1e-6) / (now + 1e-6)).clamp(1 / STRONGEST, STRONGEST)
