"""A sketch: the first frame of a draft, small, and never later than two seconds after it is asked.

A sketch has those octaves of the film that are no larger than the sketch itself, so that its
shapes are the film's. A dream that takes longer is shown as far as it is.
"""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from dreamvid.dream.dreamer import Dreamer, dreamer_for, network_for
from dreamvid.dream.fitting import with_fitting_octaves
from dreamvid.dream.octaves import octave_sizes, smallest_octaves
from dreamvid.film import loops
from dreamvid.film.finishing import finished_picture
from dreamvid.frames import Frame, Size, fitted, photographic, size_of, to_pixels
from dreamvid.jobs.seeds import read_seed
from dreamvid.media import is_picture_file
from dreamvid.networks.base import Network
from dreamvid.settings import FILM_SIDE, Settings
from dreamvid.sizes import parsed_size
from dreamvid.studio.drafts import Draft
from dreamvid.studio.hearing import Ears

SIDE = 300
"""The longer side of a sketch, in pixels."""


class _Enough(Exception):
    """The time is over; `image` is the dream so far."""

    def __init__(self, image: torch.Tensor) -> None:
        super().__init__()
        self.image = image


class Sketcher:
    """What stays warm between two sketches: the network and the picture."""

    def __init__(self, ears: Ears, enough: Callable[[], bool] = lambda: False) -> None:
        """`enough` says, asked after each step, whether the sketch is given up."""
        self.ears, self.enough = ears, enough
        self._network: tuple[Any, Network] | None = None
        self._seeds: dict[Any, Frame] = {}

    def network(self, settings: Settings) -> Network:
        """The network of these settings, loaded unless it was used last."""
        key = (str(settings.network.name), str(settings.network.weights), settings.machine)
        if self._network is None or self._network[0] != key:
            self._network = None
            self._network = key, network_for(settings)
        return self._network[1]

    def seed(self, draft: Draft, settings: Settings) -> Frame:
        """What the film begins with: the seed, a frame of the input, or noise."""
        if draft.source is None:
            return loops.cloud(Size(360, 640), (settings.film.seed, 0), loops.AROUND_NOISE)
        path = Path(draft.source)
        at = draft.at
        if at is None and not is_picture_file(path):
            at = str(settings.video.start)
        key = (draft.source, path.stat().st_mtime_ns if path.exists() else 0, at)
        if key not in self._seeds:
            # One for the film, one for what it is compared with.
            self._seeds = dict(list(self._seeds.items())[-1:])
            self._seeds[key] = read_seed(path, at)
        return self._seeds[key]

    def sketch(
        self, draft: Draft, seconds: float, side: int = SIDE
    ) -> tuple[Frame, dict[str, Any]]:
        """The sketch of a draft, whose steps take `seconds`, and what is to be said of it."""
        settings = self.ears.hearing(draft.resolved())
        picture = self.seed(draft, settings)
        usual = size_of(picture) if draft.command == "image" else FILM_SIDE
        whole = parsed_size(settings.film.size or usual, size_of(picture))
        small, size = shrunk(settings, whole, side)
        size = _no_smaller(size, self.network(small).smallest_side)
        small = small.changed("film", size=size)
        picture = fitted(picture, size, small.film.fit, small.film.padding)
        said: list[str] = []
        dreamer = dreamer_for(small, net=self.network(small))
        dreamer = with_fitting_octaves(dreamer, size, size, said.append)
        until = time.monotonic() + seconds

        def over() -> bool:
            return time.monotonic() > until or self.enough()

        dream, steps = _until(over, dreamer, picture)
        frame = finished_picture(dreamer.settings, picture, dream).cpu()
        about = {"steps": steps, "of": dreamer.total_steps, "size": str(size)}
        cut = steps < dreamer.total_steps
        return frame, {**about, "cut": cut, "interrupted": cut and self.enough()}


def _until(over: Callable[[], bool], dreamer: Dreamer, picture: Frame) -> tuple[Frame, int]:
    """The dream of a picture, or what there is of it when it is over; and its steps."""
    taken = 0

    def watch(steps: int, images: torch.Tensor) -> None:
        nonlocal taken
        taken = steps
        if over():
            raise _Enough(images)

    dreamer.watch = watch
    try:
        return dreamer.still(picture), taken
    except _Enough as enough:
        seen = dreamer.network.preprocessing.to_pictures(enough.image)[0].clamp(0, 1)
        return photographic(seen.float(), size_of(picture)), taken
    finally:
        dreamer.watch = None


def shrunk(settings: Settings, whole: Size, side: int) -> tuple[Settings, Size]:
    """Settings for a picture with sides of about `side`, without the octaves that are larger."""
    octaves = settings.octaves
    smaller = max(whole) / side
    if smaller <= 1:
        return settings, whole
    dropped = min(round(math.log(smaller) / math.log(octaves.scale)), octaves.count - 1)
    size = octave_sizes(whole, octaves)[-1 - dropped] if dropped else whole
    if max(size) > 1.4 * side or not dropped:
        scale = side / max(whole)
        size = Size(*(max(1, round(each * scale)) for each in whole))
    return smallest_octaves(settings, octaves.count - dropped), size


def _no_smaller(size: Size, least: int) -> Size:
    scale = max(1.0, least / min(size))
    return Size(*(math.ceil(each * scale) for each in size))


def write_jpeg(frame: Frame, path: Path, quality: int = 88) -> None:
    """Write a frame for the page, whole at every moment."""
    part = path.with_name(f".{path.name}.part")
    Image.fromarray(to_pixels(frame)).save(part, "JPEG", quality=quality)
    part.replace(path)
