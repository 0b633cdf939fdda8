"""Combining a dream with the frame it was dreamed over: by a mask, or in the frame's colours."""

import torch
from torch import Tensor

from dreamvid.frames import Frame, constant

LUMA = (0.2126, 0.7152, 0.0722)
"""The weights of red, green and blue in brightness: Rec. ITU-R BT.709."""


def masked(frame: Frame, dream: Frame, mask: Tensor) -> Frame:
    """The dream where `mask` (H, W) is 1, the frame where it is 0."""
    return torch.lerp(frame, dream, mask)


def keeping_colour(frame: Frame, dream: Frame) -> Frame:
    """The dream's brightness in the frame's colours.

    The frame's chroma is its difference from its own luma. Where a colour would leave [0, 1], the
    chroma is reduced until it fits, so that the dream's brightness is kept everywhere.
    """
    luma = luma_of(dream)
    chroma = frame - luma_of(frame)
    # How far each channel can go before it meets 0 or 1, as a share of its chroma.
    room = torch.where(chroma > 0, 1 - luma, luma) / chroma.abs().clamp_min(1e-6)
    return luma + chroma * room.amin(0, keepdim=True).clamp(0, 1)


def luma_of(frame: Frame) -> Tensor:
    """The brightness (1, H, W) of a frame."""
    return (frame * constant(LUMA, frame.device)[:, None, None]).sum(0, keepdim=True)
