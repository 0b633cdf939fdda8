"""What becomes of each dream beside its source: its colours kept, its mask laid on."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import islice

import torch

from dreamvid.errors import SettingsError
from dreamvid.film.cadence import Between
from dreamvid.film.carries import Situation
from dreamvid.film.compositing import keeping_colour, masked
from dreamvid.film.footage import is_picture, masks_of
from dreamvid.film.pipeline import Finish
from dreamvid.film.sources import FrameSource, Moment, Opened, held
from dreamvid.frames import Frame, size_of
from dreamvid.media import read_picture
from dreamvid.settings import Settings


class MaskedSource:
    """A source with a mask for each moment; the last mask holds on."""

    def __init__(self, source: FrameSource, masks: Opened, device: torch.device) -> None:
        self.source, self.masks, self.device = source, masks, device

    def moments(self, start: int) -> Iterator[Moment]:
        """The source's moments from the index `start` on, with their masks."""
        masks = islice(held(self.masks, self.device), start, None)
        for moment, mask in zip(self.source.moments(start), masks, strict=False):
            yield replace(moment, mask=mask)


def finish_for(settings: Settings, picture: Frame | None = None) -> Finish | None:
    """What `settings` ask to be done to each dream, or None.

    Its colours, and what a mask leaves alone, are those of `picture`, or of the source's own frame
    where none is given.
    """
    video = settings.video
    if not video.keep_color and video.mask is None:
        return None

    def finish(situation: Situation, dream: Frame) -> Frame:
        frame = situation.moment.frame if picture is None else picture
        if video.keep_color:
            dream = keeping_colour(frame, dream)
        mask = situation.moment.mask
        return dream if mask is None else masked(frame, dream, mask)

    return finish


def finished_picture(settings: Settings, picture: Frame, dream: Frame) -> Frame:
    """`finish_for` for one picture alone, on the dream's device."""
    finish = finish_for(settings)
    if finish is None:
        return dream
    mask, size, device = settings.video.mask, size_of(picture), dream.device
    drawn = held(masks_of(mask, size, Fraction(1), 0), device) if mask else iter([None])
    moment = Moment(picture.to(device), mask=next(drawn))
    return finish(Situation(0, moment, None), dream)


def check_picture_mask(settings: Settings) -> None:
    """Raise a `DreamvidError` for a mask that is no picture that can be read."""
    mask = settings.video.mask
    if mask is None:
        return
    if not is_picture(mask):
        raise SettingsError(f"video.mask: {mask} is a film; give a picture")
    read_picture(mask)


def finished_between(
    fill: Between | None, finish: Finish | None, source: FrameSource, stride: int
) -> Between | None:
    """`fill`, whose frames are finished as dreams are."""
    if fill is None or finish is None:
        return fill

    def filled(index: int, previous: Frame, dream: Frame) -> Iterator[Frame]:
        for place, frame in enumerate(fill(index, previous, dream), index - stride + 1):
            moment = next(iter(source.moments(place)))
            yield finish(Situation(place, moment, None), frame)

    return filled


def in_turn(first: Finish | None, second: Finish | None) -> Finish | None:
    """Two finishes, one after the other."""
    if first is None or second is None:
        return first or second
    return lambda situation, dream: second(situation, first(situation, dream))
