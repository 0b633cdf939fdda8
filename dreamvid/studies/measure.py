"""How steady and how strong a dream is, beside the film it was dreamed over.

Source of the warping error: Lai et al. 2018, "Learning blind video temporal consistency".
"""

import csv
import statistics
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dreamvid import media
from dreamvid.dream.dreamer import dreamer_for
from dreamvid.errors import MediaError, SettingsError
from dreamvid.film.compositing import luma_of
from dreamvid.film.flashes import FlashCounter, luminance_of
from dreamvid.film.footage import film_frames
from dreamvid.film.seams import Seam, loop_seam
from dreamvid.frames import Frame, Size, from_pixels, photographic, size_of
from dreamvid.jobs.music import follows_music, with_music, with_own_sound
from dreamvid.media import encoders
from dreamvid.motion.optical_flow import Method, method_for, shrunk
from dreamvid.motion.trust import boundary, disoccluded
from dreamvid.motion.warp import moved, warp
from dreamvid.settings import FPS, Settings
from dreamvid.sizes import film_seconds

LEVELS = 255
"""Differences are given in 8-bit levels."""

FINER = 2
"""Motion is found in the input at this many times the dream's size, if it is that large."""

LOOKS = ("network", "objective", "octaves", "flow", "film", "video", "audio", "machine", "plugins")
"""The sections that say what is seen in a film; the others say how it was dreamed."""

TITLES = {
    "warping_error": "warping error",
    "own_error": "warping error of the input itself",
    "flicker": "flicker of the dream's detail, levels",
    "strength": "dream strength, ratio to the input's",
    "brightness": "brightness over the input's, levels",
    "contrast": "contrast, ratio to the input's",
    "saturation": "saturation over the input's, levels",
    "flashes": "flashes in a second, at most",
}


@dataclass(frozen=True)
class Measures:
    """The measures of one frame of a dream; those of a change are None for the first frame."""

    frame: int
    warping_error: float | None
    """Mean square difference to the frame before, moved along the input's flow, of values from 0 to
    1. Occlusions and the edges of what moves are left out."""
    own_error: float | None
    """The same for the input. A dream that follows the input has at least this."""
    flicker: float | None
    """Mean absolute change, along the flow, in what the dream adds to the input, in levels."""
    strength: float | None
    """The objective's gain, as a ratio to the input's; None where the input's is not above 0, as of
    objectives that tell how far something is away."""
    brightness: float
    """Mean luma minus the input's, in levels."""
    contrast: float
    """Standard deviation of luma, as a ratio to the input's."""
    saturation: float
    """Mean difference of the largest and the smallest channel, minus the input's, in levels."""
    flashes: int = 0
    """Flashes over a quarter of the picture in the second that ends here; more than three are a
    risk, see `film.flashes`."""


def measure(
    source: Path,
    dream: Path,
    out: Path,
    settings: Settings,
    *,
    overwrite: bool = False,
    say: Callable[[str], None] = lambda text: None,
) -> list[Measures]:
    """Measure a dream beside its film, frame by frame, into a CSV and a plot beside it.

    Args:
        source: the film, or the picture that it was.
        dream: the film dreamed over it, from ``video.start`` on.
        out: the CSV; the plot has its name and the suffix ``.png``.
        settings: the network and layers that the dream's strength is measured with, and the flow.
        overwrite: whether older files of these names may be replaced.
        say: takes a line that the user should read.

    Raises:
        MediaError: a film cannot be read, or a file cannot be written.
    """
    plot = out.with_suffix(".png")
    for place in (out, plot):
        encoders.check_place(place, overwrite)
    second_film = media.probe(dream)
    first_film = media.probe(source, second_film.rate)
    rate = second_film.rate
    start = film_seconds(settings.video.start, first_film.rate, "video.start")
    settings = Settings(**{name: getattr(settings, name) for name in LOOKS})
    if follows_music(settings):
        settings, heard = with_music(settings.changed("film", fps=rate), say)
        if not heard:
            settings, _ = with_own_sound(settings, source, first_film, round(start * rate))
    method = method_for(settings.flow)
    dreamer = dreamer_for(settings)
    size = second_film.size
    finer = Size(*(FINER * side for side in size))
    if all(side <= own for side, own in zip(finer, first_film.size, strict=True)):
        size = finer
    inputs = film_frames(source, first_film, size, rate, round(start * rate), say=say)
    dreams = media.decoded(dream, second_film, say=say)

    def gain(frame: Frame) -> float:
        with torch.inference_mode():
            inputs = dreamer.network.preprocessing.to_input(frame[None])
            return float(dreamer.gain(inputs)[0])

    device = dreamer.network.device
    with closing(inputs), closing(dreams):
        measures = list(
            measures_of(
                (from_pixels(pixels, device) for pixels in inputs),
                (from_pixels(pixels, device) for pixels in dreams),
                method,
                gain,
                rate,
            )
        )
    if not measures:
        raise MediaError(f"{source}: has no frame for the first of {dream}; give --start")
    if len(measures) < second_film.frames:
        say(f"measured {len(measures)} of {second_film.frames} frames: {source} ends there")
    write_csv(measures, out)
    write_plot(measures, plot, f"{dream.name} beside {source.name}")
    return measures


def measure_loop(film: Path) -> Seam:
    """How well a film's last frame flows into its first.

    Raises:
        MediaError: it cannot be read, or has fewer than three frames.
    """
    return loop_seam(from_pixels(pixels) for pixels in media.frames_of(film))


def measures_of(
    inputs: Iterable[Frame],
    dreams: Iterable[Frame],
    method: Method,
    gain: Callable[[Frame], float],
    rate: Fraction = FPS,
) -> Iterator[Measures]:
    """Each frame's measures, until one of the films ends.

    Args:
        inputs: the film's frames, of the dream's size or larger. The larger they are, the more
            exactly their motion is known.
        dreams: the dream's frames.
        method: the optical flow to follow the film with.
        gain: the objective's gain for a frame.
        rate: of the dream, in frames a second.
    """
    flashes = FlashCounter(rate)
    before: tuple[Frame, Frame, Frame] | None = None
    for index, (large, dream) in enumerate(zip(inputs, dreams, strict=False)):
        size = size_of(dream)
        picture = photographic(large, size)
        error = own = flicker = None
        if before is not None:
            large_before, picture_before, dream_before = before
            forward = shrunk(method(large_before, large), size)
            back = shrunk(method(large, large_before), size)
            seen = (~(disoccluded(forward, back) | boundary(forward))).float()
            error = _warping_error(dream_before, dream, forward, seen)
            own = _warping_error(picture_before, picture, forward, seen)
            change = moved(dream - picture, forward) - (dream_before - picture_before)
            flicker = LEVELS * _over(change.abs(), seen)
        yield Measures(
            frame=index,
            warping_error=error,
            own_error=own,
            flicker=flicker,
            strength=gain(dream) / own_gain if (own_gain := gain(picture)) > 0 else None,
            brightness=LEVELS * float(luma_of(dream).mean() - luma_of(picture).mean()),
            contrast=float(luma_of(dream).std() / luma_of(picture).std().clamp_min(1e-6)),
            saturation=LEVELS * float(_saturation(dream) - _saturation(picture)),
            flashes=flashes(luminance_of(dream)),
        )
        before = (large, picture, dream)


def summary(measures: list[Measures]) -> dict[str, float | None]:
    """The mean of each measure over the film; of flashes, the most."""
    means: dict[str, float | None] = {}
    for name in TITLES:
        values = [value for each in measures if (value := getattr(each, name)) is not None]
        mean = max if name == "flashes" else statistics.fmean
        means[name] = mean(values) if values else None
    return means


def joint(measures: list[Measures], place: int) -> str:
    """How the film goes on at the frame `place`, beside all its other changes, in a line.

    Raises:
        SettingsError: there is no such frame, or none before it.
    """
    errors = {each.frame: each.warping_error for each in measures if each.warping_error is not None}
    others = [error for frame, error in errors.items() if frame != place]
    if place not in errors or not others:
        raise SettingsError(f"--joint: got {place}, expected a frame from 1 to {len(errors)}")
    usual, most = statistics.median(others), max(others)
    return (
        f"frame {place}: warping error {errors[place]:.3g}, "
        f"{errors[place] / max(usual, 1e-12):.2f} times the film's median {usual:.3g}; "
        f"its most elsewhere is {most:.3g}"
    )


def write_csv(measures: list[Measures], path: Path) -> None:
    """One line for each frame."""
    with media.atomic_write(path) as part, part.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, [field.name for field in fields(Measures)])
        writer.writeheader()
        writer.writerows(asdict(each) for each in measures)


def write_plot(measures: list[Measures], path: Path, title: str) -> None:
    """A picture of every measure over the film."""
    figure = Figure(figsize=(10, 12), layout="constrained")
    FigureCanvasAgg(figure)
    panels = [name for name in TITLES if name != "own_error"]
    axes = figure.subplots(len(panels), 1, sharex=True)
    for axis, name in zip(axes, panels, strict=True):
        _draw(axis, measures, name, "the dream")
        if name == "warping_error":
            _draw(axis, measures, "own_error", "the input itself")
            axis.legend(loc="upper right")
        axis.set_title(TITLES[name], fontsize=9, loc="left")
        axis.set_ylim(bottom=min(0, axis.get_ylim()[0]))
        axis.grid(alpha=0.3)
    axes[-1].set_xlabel("frame")
    figure.suptitle(title, fontsize=10)
    with media.atomic_write(path) as part:
        figure.savefig(part, format="png", dpi=100)


def _draw(axis: Any, measures: list[Measures], name: str, label: str) -> None:
    known = [each for each in measures if getattr(each, name) is not None]
    axis.plot([each.frame for each in known], [getattr(each, name) for each in known], label=label)


def _warping_error(then: Frame, now: Frame, forward: torch.Tensor, seen: torch.Tensor) -> float:
    return _over((warp(now, forward) - then).pow(2), seen)


def _over(field: torch.Tensor, seen: torch.Tensor) -> float:
    """The mean of `field` (3, H, W) where `seen` (H, W) is 1; the whole mean if it is 1 nowhere."""
    total = seen.sum()
    return float((field * seen).sum() / (3 * total)) if total > 0 else float(field.mean())


def _saturation(frame: Frame) -> torch.Tensor:
    return (frame.amax(0) - frame.amin(0)).mean()
