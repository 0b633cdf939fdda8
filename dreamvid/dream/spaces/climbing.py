"""Ascent in a space: the same gradient, masks and tiles, but other numbers take the step."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from dreamvid.dream.ascent import Number, beside, gain_and_gradients, jitter, rolled
from dreamvid.dream.report import Report
from dreamvid.dream.shaping import TINY, shaped_gradient
from dreamvid.dream.spaces.registered import Space, SpaceMaker
from dreamvid.dream.spaces.views import viewed
from dreamvid.dream.tiles import InParts, in_one_piece
from dreamvid.dream.updates import update_for
from dreamvid.frames import Key
from dreamvid.networks.base import Preprocessing
from dreamvid.objectives import Hill
from dreamvid.settings import AscentSettings

TOUCHED = 0.1
"""The share of the largest local step from which on a place is what the climb made of it."""


class Climbed(NamedTuple):
    """What one step gives, beside the parameters after it."""

    parameters: Tensor
    gains: Tensor
    finite: Tensor
    gradient: Tensor
    """Of the picture, (N, 3, H, W), in the network's own units."""


class SpaceAscent:
    """The climb up one hill in a space; it is called as an `Ascent` is."""

    def __init__(
        self,
        space: SpaceMaker,
        hill: Hill,
        settings: AscentSettings,
        preprocessing: Preprocessing,
        first: bool = True,
        in_parts: InParts = in_one_piece,
        begun: Tensor | None = None,
    ) -> None:
        """Set out what is climbed and how; see `Ascent`.

        Args:
            space: makes the space of the pictures that the climb starts from.
            hill: what is climbed; it sees pictures that are rolled and viewed.
            settings: see `AscentSettings`; what concerns pixels alone has no meaning here.
            preprocessing: between pictures and the network's own units.
            first: whether the space may begin with something else than these pictures.
            in_parts: computes a gradient for a whole view, perhaps tile by tile.
            begun: the pictures of which objectives see how far the dream has gone.
        """
        self.space, self.gain_of, self.masks = space, hill.gain, hill.masks
        self.settings, self.preprocessing, self.first = settings, preprocessing, first
        self.in_parts, self.begun = in_parts, begun

    def __call__(
        self, image: Tensor, step_size: Number, steps: int, key: Key, report: Report
    ) -> Tensor:
        """`image` (N, 3, H, W), in the network's own units, after a number of steps."""
        if not steps:
            return image
        space = self.space(
            self.preprocessing.to_pictures(image).clamp(0, 1), key if self.first else None
        )
        update = update_for(self.settings)
        local = step_size if isinstance(step_size, Tensor) else None
        size = float(step_size.abs().amax()) if isinstance(step_size, Tensor) else step_size
        rate = size / (255 * self.preprocessing.level) * space.unit
        share = None if local is None else local / max(size, TINY)
        parameters, touched, now = space.parameters.detach(), None, image
        for index in range(steps):
            done = (index + 1) / steps
            climbed = self._step(space, parameters, update, rate, share, (*key, index), done)
            parameters = climbed.parameters
            with torch.no_grad():
                now = self.preprocessing.to_input(space.pictures(parameters))
            report.note(climbed.gains, climbed.finite, now)
            if space.alpha:
                here = climbed.gradient.abs().mean(1)
                touched = here if touched is None else touched + here
        report.touched = touched
        now = now.to(image.dtype)
        if share is None:
            return now
        # A step in a space is felt everywhere: what is not to change is put back.
        return image.lerp(now, (share.abs() / TOUCHED).clamp(0, 1).to(image.dtype))

    def _step(
        self,
        space: Space,
        parameters: Tensor,
        update: Callable[[Tensor], Tensor],
        rate: float,
        share: Tensor | None,
        key: Key,
        done: float,
    ) -> Climbed:
        settings, level = self.settings, self.preprocessing.level
        offsets = jitter(key, settings.jitter)
        parameters = parameters.requires_grad_(True)
        inputs = self.preprocessing.to_input(space.pictures(parameters))
        leaf = inputs.detach().requires_grad_(True)
        seen = viewed(rolled(leaf, offsets), space.views, key, level)
        gain_of = self.gain_of
        if self.begun is not None:
            with torch.no_grad():
                before = viewed(rolled(self.begun, offsets), space.views, key, level)
            gain_of = beside(gain_of, before)
        gains, gradients = self.in_parts(
            seen.detach(), lambda part: gain_and_gradients(part, gain_of, offsets)
        )
        gradients = [
            torch.autograd.grad(seen, leaf, each.to(seen.dtype), retain_graph=True)[0]
            for each in gradients
        ]
        shaped = [shaped_gradient(each, settings, done) for each in gradients]
        if self.masks is not None:
            shaped = [mask * each for mask, each in zip(self.masks, shaped, strict=True)]
        gradient = sum(shaped[1:], shaped[0])
        if share is not None:
            gradient = gradient * share
        (pulled,) = torch.autograd.grad(inputs, parameters, gradient.to(inputs.dtype))
        finite = torch.isfinite(pulled).flatten(1).all(1)
        going = finite.view(-1, *[1] * (pulled.ndim - 1))
        pulled = torch.where(going, pulled, 0)
        if settings.normalise != "none":
            axes = tuple(range(1, pulled.ndim))
            pulled = pulled / (pulled.abs().mean(axes, keepdim=True) + TINY)
        moved = torch.where(going, parameters.detach() + rate * update(pulled), parameters)
        gains = gains.view(len(finite), -1).mean(1)
        return Climbed(moved.detach(), gains, finite, gradient)
