"""Gradient ascent on a picture: jitter, gradient, smoothing, normalisation, step, clamp.

Source: Mordvintsev, Olah and Tyka, "Inceptionism", 2015, and its notebook; the smoothing cascade
and the normalisation by standard deviation are those of pytorch-deepdream. The only
``+ step · gradient`` of the program is in `ascended`.

Jitter: the picture is rolled before each step and back after it, so an objective that knows
places (a mask, a picture to keep to) is told the roll, `Offsets`.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from dreamvid.dream.blur import gaussian_blurred
from dreamvid.dream.laplacian import evened
from dreamvid.dream.tiles import Gradient
from dreamvid.frames import Key, Offsets, Size, drawn
from dreamvid.machine import devices
from dreamvid.settings import AscentSettings

Gain = Callable[[Tensor, Offsets], Tensor]
"""From pictures and their roll to one gain for each (N,), or to one for each mask (K, N)."""

CASCADE = (0.5, 1.0, 2.0)
"""The widths of the three Gaussians of the cascade, relative to its own."""
CASCADE_GROWTH = 2.0
CASCADE_REACH = 4
TINY = 1e-20
ADAM_DECAYS = (0.9, 0.999)
ADAM_TINY = 1e-8


Watch = Callable[[int, Tensor], None]
"""Told after each step: how many there were, and the pictures (N, 3, H, W) as they are now."""


class Noted(NamedTuple):
    """One step of one picture."""

    passed: int
    """How often the pyramid had been climbed before."""
    octave: int
    """0 is the smallest."""
    size: Size
    step: int
    """Its number at that octave, from 0."""
    gain: float
    """Before the step; nan where it was skipped."""


class Report:
    """What an ascent did. It is kept on the device until it is asked for: asking waits."""

    def __init__(self, watch: Watch | None = None) -> None:
        self._watch = watch
        self._place = (0, 0, Size(0, 0))
        self._places: list[tuple[int, int, Size]] = []
        self._gains: list[Tensor] = []
        self._finite: list[Tensor] = []

    def begin(self, passed: int, octave: int, size: Size) -> None:
        """The steps from here on are at this octave."""
        self._place = (passed, octave, size)

    def note(self, gains: Tensor, finite: Tensor, images: Tensor) -> None:
        """A step was tried: the gains before it (N,), which could take it (N,), the pictures."""
        self._places.append(self._place)
        self._gains.append(gains)
        self._finite.append(finite)
        if self._watch:
            self._watch(len(self._finite), images)

    def leaving(self, picture: int = 0) -> Callable[[], "Report"]:
        """Begin to bring what it says of one picture to the processor; this gives it, once there.

        `picture` is its place in the batch.
        """
        if not self._finite:
            return lambda: self
        numbers = devices.leaving(
            *(torch.stack(each)[:, picture, None] for each in (self._gains, self._finite))
        )

        def there() -> Report:
            report = Report()
            report._places = self._places
            report._gains, report._finite = map(list, numbers())
            return report

        return there

    def noted(self, picture: int = 0) -> list[Noted]:
        """Every step of one picture of the batch."""
        gains = torch.stack(self._gains)[:, picture].tolist() if self._gains else []
        taken = torch.stack(self._finite)[:, picture].tolist() if self._finite else []
        found: list[Noted] = []
        for place, gain, done in zip(self._places, gains, taken, strict=True):
            again = found and found[-1][:3] == place
            step = found[-1].step + 1 if again else 0
            found.append(Noted(*place, step, gain if done else float("nan")))
        return found

    @property
    def steps(self) -> int:
        """Steps that all pictures took."""
        return sum(self._taken())

    @property
    def skipped(self) -> int:
        """Steps that a picture skipped."""
        return len(self._finite) - self.steps

    @property
    def gain(self) -> float:
        """The gain before the last step that was taken, the pictures' mean."""
        gains = torch.stack(self._gains).mean(1).tolist() if self._gains else []
        taken = [gain for gain, done in zip(gains, self._taken(), strict=True) if done]
        return taken[-1] if taken else float("nan")

    def _taken(self) -> list[bool]:
        return torch.stack(self._finite).all(1).tolist() if self._finite else []


Number = float | Tensor
Step = Callable[[Tensor, Offsets, Number, Number], tuple[Tensor, Tensor, Tensor]]
"""One step: from a picture, its jitter, the step size and the share of steps that will be done to
the picture after it, the gains before it (N,), and whose gradient was finite (N,)."""


def ascended(
    image: Tensor,
    gain_of: Gain,
    bounds: tuple[Tensor, Tensor],
    step: float | Tensor,
    key: Key,
    settings: AscentSettings,
    iterations: int,
    report: Report,
    masks: Tensor | None = None,
    *,
    tiled: Callable[[Tensor, Gradient], tuple[Tensor, Tensor]] = lambda x, gradient: gradient(x),
    recorded: Callable[[Step], Step] = lambda step: step,
) -> Tensor:
    """`image` (N, 3, H, W) after `iterations` steps up the gradient of `gain_of`.

    Nothing here waits for the device.

    Args:
        image: in the network's own units.
        gain_of: see `Gain`; it gets the picture already rolled.
        bounds: the lowest and highest value of each channel, (1, 3, 1, 1).
        step: the step size in the network's own units, for all pixels or for each (H, W).
        key: what the jitter of this ascent depends on, besides the step.
        settings: see `AscentSettings`.
        iterations: how many steps.
        report: counts steps; those whose gradient is not finite are skipped.
        masks: where each objective works, (K, 1, H, W) from 0 to 1; each gradient is normalised
            by itself before it is masked, and then they are added.
        tiled: calls a gradient on a picture, or on tiles of it.
        recorded: gives back a step, or something that does the same faster; only where no step
            remembers those before it.
    """
    advance, remembers = advancing(settings), settings.update != "plain"

    def stepped(
        image: Tensor, offsets: Offsets, step: Number, done: Number
    ) -> tuple[Tensor, Tensor, Tensor]:
        def gradient(part: Tensor) -> tuple[Tensor, Tensor]:
            gain, found = gain_and_gradients(part, gain_of, offsets)
            return gain, torch.stack(found) if len(found) > 1 else found[0][None]

        gain, gradients = tiled(rolled(image, offsets), gradient)
        # A maximum keeps what is not a number, and takes a tenth of the time of looking at each.
        finite = torch.isfinite(gradients.abs().amax((0, 2, 3, 4)))
        going = finite[:, None, None, None]
        if remembers:
            gradients = torch.where(going, gradients, 0)
        shaped = [
            rolled(shaped_gradient(each, settings, done), offsets, back=True) for each in gradients
        ]
        if masks is not None:
            shaped = [mask * each for mask, each in zip(masks, shaped, strict=True)]
        moved = image + step * advance(sum(shaped[1:], shaped[0]))
        if settings.clamp:
            moved = moved.clamp_(*bounds)
        moved = gaussian_blurred(moved, settings.blur)
        return torch.where(going, moved, image), gain, finite

    advance_by = stepped if remembers else recorded(stepped)
    for index in range(iterations):
        offsets = jitter((*key, index), settings.jitter)
        image, gain, finite = advance_by(image, offsets, step, (index + 1) / iterations)
        report.note(gain, finite, image)
    return image


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


def jitter(key: Key, reach: int) -> tuple[int, int]:
    """A roll down and to the right, each from -reach to reach, that depends on `key` alone."""
    return drawn((*key, 0), -reach, reach), drawn((*key, 1), -reach, reach)


def gain_and_gradients(
    image: Tensor, gain_of: Gain, offsets: Offsets = (0, 0)
) -> tuple[Tensor, list[Tensor]]:
    """The gain of each picture (N,), and the gradient (N, 3, H, W) of every objective in it."""
    image = image.detach().requires_grad_(True)
    gain = gain_of(image, offsets)
    rows = gain.reshape(-1, len(image))
    gradients = [
        torch.autograd.grad(row.sum(), image, retain_graph=number + 1 < len(rows))[0]
        for number, row in enumerate(rows)
    ]
    return rows.detach().sum(0), gradients


def advancing(settings: AscentSettings) -> Callable[[Tensor], Tensor]:
    """A function from each step's gradient to the way to go, which remembers the steps before.

    Sources: Polyak's momentum, 1964; Kingma and Ba, "Adam", 2015, with their decays.
    """
    first = second = torch.zeros(())
    steps = 0

    def with_momentum(gradient: Tensor) -> Tensor:
        nonlocal first
        first = settings.momentum * first + gradient
        return first

    def with_adam(gradient: Tensor) -> Tensor:
        nonlocal first, second, steps
        steps += 1
        slow, slower = ADAM_DECAYS
        first = slow * first + (1 - slow) * gradient
        second = slower * second + (1 - slower) * gradient.square()
        spread = (second / (1 - slower**steps)).sqrt()
        return first / (1 - slow**steps) / (spread + ADAM_TINY)

    if settings.update == "momentum":
        return with_momentum
    return with_adam if settings.update == "adam" else lambda gradient: gradient


def shaped_gradient(gradient: Tensor, settings: AscentSettings, progress: Number) -> Tensor:
    """`gradient` (N, 3, H, W) smoothed and normalised; `progress` reaches 1 at the last step."""
    if settings.smoothing:
        gradient = cascade_smoothed(gradient, settings.smoothing + CASCADE_GROWTH * progress)
    gradient = gaussian_blurred(gradient, settings.gaussian)
    if settings.laplacian:
        gradient = evened(gradient, settings.laplacian)
    return normalised(gradient, settings.normalise)


def normalised(gradient: Tensor, how: str) -> Tensor:
    """`gradient` (N, 3, H, W) at a size that does not depend on the network or the layer.

    A flat picture's zero gradient stays zero.
    """
    axes = (1, 2, 3)
    if how == "mean":
        return gradient / (gradient.abs().mean(axes, keepdim=True) + TINY)
    if how == "deviation":
        centred = gradient - gradient.mean(axes, keepdim=True)
        return centred / (gradient.std(axes, keepdim=True) + TINY)
    return gradient


def cascade_smoothed(gradient: Tensor, width: float | Tensor) -> Tensor:
    """The mean of three Gaussian smoothings of `gradient` (N, 3, H, W).

    Their standard deviations are `CASCADE` times `width` pixels; kernels are 9x9, borders
    reflected. Source: pytorch-deepdream's CascadeGaussianSmoothing.
    """
    offsets = torch.arange(-CASCADE_REACH, CASCADE_REACH + 1, device=gradient.device)
    kernels = [torch.exp(-0.5 * (offsets / (width * part)) ** 2) for part in CASCADE]
    kernel = torch.stack([torch.outer(each, each) / each.sum() ** 2 for each in kernels]).mean(0)
    weight = kernel.expand(3, 1, *kernel.shape).to(gradient.dtype)
    # Reflection needs more pixels than it reflects; tiny octaves repeat their edge instead.
    mode = "reflect" if min(gradient.shape[-2:]) > CASCADE_REACH else "replicate"
    padded = F.pad(gradient, (CASCADE_REACH,) * 4, mode=mode)
    return F.conv2d(padded, weight, groups=3)
