"""Gradient ascent on a picture: jitter, gradient, shaping, step, clamp.

Source: Mordvintsev, Olah and Tyka, "Inceptionism", 2015, and its notebook. The only
``+ step · gradient`` of the program is in `Ascent.step`.

Jitter: the picture is rolled before each step and rolled back after it. An objective that depends
on places (a mask, a picture to stay close to) is given the roll, `Offsets`.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from dreamvid.dream.blur import gaussian_blurred
from dreamvid.dream.report import Report
from dreamvid.dream.shaping import shaped_gradient
from dreamvid.dream.tiles import Gradient, InParts, in_one_piece, undivided
from dreamvid.dream.updates import update_for
from dreamvid.frames import Key, Offsets, Size, drawn
from dreamvid.machine.devices import sent
from dreamvid.networks import pictures
from dreamvid.networks.ways import kernels_for
from dreamvid.settings import AscentSettings

SCALED_BELOW = 2
"""Powers of two by which a float16 gain is scaled less than its pixels: the middle of the 17 that
keep a gradient finite and true, measured."""

Gain = Callable[..., Tensor]
"""From pictures and their roll to one gain for each picture (N,), or for each mask too (K, N).

It may be given a third argument: the pictures from which the dream began, rolled alike."""
Number = float | Tensor


class Stepped(NamedTuple):
    """What one step gives, or several: then each has a row of its own in `gains` and `finite`."""

    image: Tensor
    """The pictures (N, 3, H, W) after it."""
    gains: Tensor
    """Their gains before it, (N,)."""
    finite: Tensor
    """Which of them had a finite gradient, (N,); the others stayed as they were."""


class Numbers(NamedTuple):
    """The numbers of the steps at one octave; beside a GPU they lie there."""

    offsets: Sequence[Offsets] | Tensor
    """The jitter of each, (steps, 2)."""
    step_size: Number
    """Of all of them, or of each place (H, W)."""
    done: Sequence[float] | Tensor
    """The share of steps that are done after each, (steps,)."""


Climb = Callable[[Tensor, Numbers], Stepped]
"""All steps at an octave, given the pictures and the steps' numbers."""
Recorder = Callable[[Climb, Climb, bool], Climb]
"""From a climb that takes pictures in one piece, and the plain one, to one that does the same; and
whether several short climbs are as good as a long one."""


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
        recorded: Recorder = lambda whole, plain, parts: plain,
        scale: float = 1.0,
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
            recorded: see `Recorder`.
            scale: what the gain is multiplied by on its way back, see `gain_and_gradients`.
            begun: the pictures of which objectives see how far the dream has gone; None: none does.
        """
        self.scale = scale
        self.gain_of, self.settings, self.bounds = gain_of, settings, bounds
        self.masks, self.in_parts, self.recorded = masks, in_parts, recorded
        self.begun = begun
        changed = (settings.smoothing, settings.gaussian, settings.laplacian, settings.blur)
        self._usual = (
            masks is None
            and not any(changed)
            and (settings.update, settings.normalise) == ("plain", "mean")
        )

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
        if not steps:
            return image
        offsets = [jitter((*key, index), self.settings.jitter) for index in range(steps)]
        numbers = numbers_of_steps(image, offsets, step_size)
        if report.watched:
            return self.climbed(self.in_parts, image, numbers, report.note).image
        plain: Climb = partial(self.climbed, self.in_parts)
        parts = self.settings.update == "plain"
        climb = self.recorded(partial(self.climbed, undivided), plain, parts)
        image, gains, finite = climb(image, numbers)
        for each in zip(gains, finite, strict=True):
            report.note(*each, image)
        return image

    def climbed(
        self,
        in_parts: InParts,
        image: Tensor,
        numbers: Numbers,
        note: Callable[[Tensor, Tensor, Tensor], None] = lambda *_: None,
    ) -> Stepped:
        """All steps at an octave: a `Climb` once `in_parts` is given; `note` hears of each."""
        update, gains, finite = update_for(self.settings), [], []
        for offsets, done in zip(numbers.offsets, numbers.done, strict=True):
            one = self.step(update, in_parts, image, offsets, numbers.step_size, done)
            image = one.image
            note(one.gains, one.finite, image)
            gains.append(one.gains)
            finite.append(one.finite)
        return Stepped(image, torch.stack(gains), torch.stack(finite))

    def step(
        self,
        update: Callable[[Tensor], Tensor],
        in_parts: InParts,
        image: Tensor,
        offsets: Offsets,
        step_size: Number,
        done: Number,
    ) -> Stepped:
        """One step; `update` is what `update_for` gives."""
        settings = self.settings
        gain_of = self.gain_of
        if self.begun is not None:
            gain_of = beside(gain_of, rolled(self.begun, offsets))
        gradient_of: Gradient = partial(
            gain_and_gradients, gain_of=gain_of, offsets=offsets, scale=self.scale
        )
        gains, gradients = in_parts(rolled(image, offsets), gradient_of)
        if self._usual:
            bounds = self.bounds if settings.clamp else None
            kernels = kernels_for(image) if isinstance(offsets, Tensor) else None
            if kernels or (pictures.serves(image) and not isinstance(offsets, Tensor)):
                move = kernels.moved if kernels else pictures.moved
                moved, finite = move(image, gradients[0], offsets, step_size, bounds)
                return Stepped(moved, gains, finite)
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


def numbers_of_steps(image: Tensor, offsets: list[tuple[int, int]], step_size: Number) -> Numbers:
    """The numbers of the steps that have these rolls.

    Beside a processor they are brought to the device all at once, and no step waits for one. There
    a tensor and a plain number do not give the same bits, so every step has tensors, also one that
    is not recorded.
    """
    shares = [(index + 1) / len(offsets) for index in range(len(offsets))]
    if image.device.type == "cpu":
        return Numbers(offsets, step_size, shares)
    rolls = sent(torch.tensor(offsets), image.device)
    done = sent(torch.tensor(shares, dtype=image.dtype), image.device)
    if not isinstance(step_size, Tensor):
        step_size = torch.full((), step_size, dtype=image.dtype, device=image.device)
    return Numbers(rolls, step_size, done)


def jitter(key: Key, reach: int) -> tuple[int, int]:
    """A roll down and to the right, each from -reach to reach, that depends on `key` alone."""
    return drawn((*key, 0), -reach, reach), drawn((*key, 1), -reach, reach)


def rolled(image: Tensor, offsets: Offsets, *, back: bool = False) -> Tensor:
    """`image` (N, 3, H, W) rolled, or rolled back."""
    if not isinstance(offsets, Tensor):
        down, right = offsets
        return image.roll((-down, -right) if back else (down, right), (2, 3))
    if kernels := kernels_for(image):
        return kernels.rolled(image, offsets, back=back)
    for axis, offset in zip((2, 3), offsets, strict=True):
        places = torch.arange(image.shape[axis], device=image.device)
        places = (places + offset if back else places - offset) % image.shape[axis]
        image = image.index_select(axis, places)
    return image


def gain_scale(dtype: torch.dtype, size: Size) -> float:
    """What a network of that type needs as the `scale` of `gain_and_gradients`.

    The gain is a mean over the picture, so its gradient shrinks as the picture grows.
    """
    if dtype != torch.float16:
        return 1.0
    return 2.0 ** (math.floor(math.log2(math.prod(size))) - SCALED_BELOW)


def gain_and_gradients(
    image: Tensor, gain_of: Gain, offsets: Offsets = (0, 0), scale: float = 1.0
) -> tuple[Tensor, Tensor]:
    """The gain of each picture (N,), and the gradient of each mask's gain (K, N, 3, H, W).

    A `scale`, a power of two, makes what float16 would round to nothing on its way back large
    enough; the gradient that is given does not depend on it.
    """
    image = image.detach().requires_grad_(True)
    gain = gain_of(image, offsets)
    rows = gain.reshape(-1, len(image))
    gradients = [
        torch.autograd.grad(row.sum() * scale, image, retain_graph=number + 1 < len(rows))[0]
        for number, row in enumerate(rows)
    ]
    if scale != 1:
        gradients = [gradient / scale for gradient in gradients]
    # One gradient is not copied.
    together = torch.stack(gradients) if len(gradients) > 1 else gradients[0][None]
    return rows.detach().sum(0), together
