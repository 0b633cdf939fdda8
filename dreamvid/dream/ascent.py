"""Gradient ascent on a picture: jitter, gradient, shaping, step, clamp.

Source: Mordvintsev, Olah and Tyka, "Inceptionism", 2015, and its notebook. The only
``+ step · gradient`` of the program is in `Ascent.step`.

Jitter: the picture is rolled before each step and rolled back after it. An objective that depends
on places (a mask, a picture to stay close to) is given the roll, `Offsets`.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from dreamvid.dream.blur import gaussian_blurred
from dreamvid.dream.report import Report
from dreamvid.dream.shaping import shaped_gradient
from dreamvid.dream.tiles import Gradient, InParts, in_one_piece
from dreamvid.dream.updates import update_for
from dreamvid.frames import Key, Offsets, drawn
from dreamvid.settings import AscentSettings

Gain = Callable[..., Tensor]
"""From pictures and their roll to one gain for each picture (N,), or for each mask too (K, N).

It may be given a third argument: the pictures from which the dream began, rolled alike."""
Number = float | Tensor


class Stepped(NamedTuple):
    """What one step gives."""

    image: Tensor
    """The pictures (N, 3, H, W) after it."""
    gains: Tensor
    """Their gains before it, (N,)."""
    finite: Tensor
    """Which of them had a finite gradient, (N,); the others stayed as they were."""


Step = Callable[[Tensor, Offsets, Number, Number], Stepped]
"""One step, given the pictures, the jitter, the step size and the share of steps done after it."""


class Ascent:
    """The climb up one hill, for pictures of one size. Nothing in it waits for the device."""

    def __init__(
        self,
        gain_of: Gain,
        settings: AscentSettings,
        bounds: tuple[Tensor, Tensor],
        *,
        masks: Tensor | None = None,
        in_parts: InParts = in_one_piece,
        recorded: Callable[[Step], Step] = lambda step: step,
        begun: Tensor | None = None,
    ) -> None:
        """Set out what is climbed and how.

        Args:
            gain_of: see `Gain`; its pictures are already rolled.
            settings: see `AscentSettings`.
            bounds: the lowest and highest value of each channel, (1, 3, 1, 1).
            masks: where each objective works, (K, 1, H, W) from 0 to 1. Each gradient is
                normalised by itself, then masked, and then they are added.
            in_parts: computes a gradient for a whole picture, perhaps tile by tile.
            recorded: gives back a step, or something that does the same faster. It is only asked
                for steps that do not depend on the steps before them.
            begun: the pictures of which objectives see how far the dream has gone; None: none does.
        """
        self.gain_of, self.settings, self.bounds = gain_of, settings, bounds
        self.masks, self.in_parts, self.recorded = masks, in_parts, recorded
        self.begun = begun

    def __call__(
        self, image: Tensor, step_size: Number, steps: int, key: Key, report: Report
    ) -> Tensor:
        """`image` (N, 3, H, W), in the network's own units, after a number of steps.

        Args:
            image: where the climb starts.
            step_size: in the network's own units, one for all pixels or one for each (H, W).
            steps: how many.
            key: the jitter depends on it and on the step's number alone.
            report: every step is added to it.
        """
        plain = self.settings.update == "plain"
        step: Step = partial(self.step, update_for(self.settings))
        step = self.recorded(step) if plain else step
        for index in range(steps):
            offsets = jitter((*key, index), self.settings.jitter)
            image, gains, finite = step(image, offsets, step_size, (index + 1) / steps)
            report.note(gains, finite, image)
        return image

    def step(
        self,
        update: Callable[[Tensor], Tensor],
        image: Tensor,
        offsets: Offsets,
        step_size: Number,
        done: Number,
    ) -> Stepped:
        """One step: a `Step` once `update`, see `update_for`, is given."""
        settings = self.settings
        gain_of = self.gain_of
        if self.begun is not None:
            gain_of = beside(gain_of, rolled(self.begun, offsets))
        gradient_of: Gradient = partial(gain_and_gradients, gain_of=gain_of, offsets=offsets)
        gains, gradients = self.in_parts(rolled(image, offsets), gradient_of)
        # A maximum keeps NaN, and takes a tenth of the time of looking at each value.
        finite = torch.isfinite(gradients.abs().amax((0, 2, 3, 4)))
        going = finite[:, None, None, None]
        if settings.update != "plain":
            gradients = torch.where(going, gradients, 0)
        shaped = [
            rolled(shaped_gradient(each, settings, done), offsets, back=True) for each in gradients
        ]
        if self.masks is not None:
            shaped = [mask * each for mask, each in zip(self.masks, shaped, strict=True)]
        gradient = update(sum(shaped[1:], shaped[0]))
        moved = image + step_size * gradient
        if settings.clamp:
            moved = moved.clamp_(*self.bounds)
        moved = gaussian_blurred(moved, settings.blur)
        return Stepped(torch.where(going, moved, image), gains, finite)


def beside(gain_of: Gain, before: Tensor) -> Gain:
    """`gain_of`, told what the pictures were `before`, seen in the same way."""
    return lambda inputs, offsets: gain_of(inputs, offsets, before)


def jitter(key: Key, reach: int) -> tuple[int, int]:
    """A roll down and to the right, each from -reach to reach, that depends on `key` alone."""
    return drawn((*key, 0), -reach, reach), drawn((*key, 1), -reach, reach)


def rolled(image: Tensor, offsets: Offsets, *, back: bool = False) -> Tensor:
    """`image` (N, 3, H, W) rolled, or rolled back."""
    if not isinstance(offsets, Tensor):
        down, right = offsets
        return image.roll((-down, -right) if back else (down, right), (2, 3))
    for axis, offset in zip((2, 3), offsets, strict=True):
        places = torch.arange(image.shape[axis], device=image.device)
        places = (places + offset if back else places - offset) % image.shape[axis]
        image = image.index_select(axis, places)
    return image


def gain_and_gradients(
    image: Tensor, gain_of: Gain, offsets: Offsets = (0, 0)
) -> tuple[Tensor, Tensor]:
    """The gain of each picture (N,), and the gradient of each mask's gain (K, N, 3, H, W)."""
    image = image.detach().requires_grad_(True)
    gain = gain_of(image, offsets)
    rows = gain.reshape(-1, len(image))
    gradients = [
        torch.autograd.grad(row.sum(), image, retain_graph=number + 1 < len(rows))[0]
        for number, row in enumerate(rows)
    ]
    # One gradient is not copied.
    together = torch.stack(gradients) if len(gradients) > 1 else gradients[0][None]
    return rows.detach().sum(0), together
