"""Pictures of depth, for a camera: by a network of the user's, or of a film by its own parallax.

White is near. Of a film there is one for each frame, and each goes on from the one before, which is
read from its file; so what was stopped goes on to the same pictures.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Annotated

import numpy as np

from dreamvid import media
from dreamvid.errors import MediaError, SettingsError
from dreamvid.film.footage import film_frames, is_picture
from dreamvid.frames import Frame, Size, from_pixels, photographic, size_of
from dreamvid.jobs.naming import called
from dreamvid.jobs.progress import Progress, Silence
from dreamvid.jobs.seeds import probe_film, read_seed
from dreamvid.jobs.settling import must_differ
from dreamvid.jobs.stopping import stoppable
from dreamvid.media import encoders
from dreamvid.motion.camera import focal_length
from dreamvid.motion.depth_networks import Estimate, depth_network
from dreamvid.motion.optical_flow import check_for, correspondence, method_for
from dreamvid.motion.parallax import parallax, smoothed
from dreamvid.motion.steadying import packed, steadied
from dreamvid.registry import Within, checked_value

SIDE = 640
"""The longer side of a depth: what lies between its pixels is smooth."""
APART = 0.1
"""Seconds between the two frames whose parallax is looked at."""
TRIED = 6
"""Places of a film at which it is asked whether there is any."""
LEAST = 0.2
"""The least confidence, on average, with which it tells something."""
FLOW = {"name": "dis"}

FOV_KIND = Annotated[int, Within(5, 150)]
Window = Sequence[Frame | None]
"""A frame, in the middle, and those around it; None beyond the film's ends."""
Told = tuple[np.ndarray, float]
"""Depths (H, W), the larger the nearer, and how sure they are."""


def depth_pictures(
    source: Path,
    out: Path,
    *,
    model: Path | None = None,
    distances: bool = False,
    fov: int = 60,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Write the depth of a picture, or of every frame of a film, and return where it is.

    Args:
        source: a picture, a film or a row of pictures.
        out: a PNG for a picture; a folder for a film.
        model: a depth network, see `depth_networks`; none: a film's parallax.
        distances: whether the network gives distances rather than their inverses.
        fov: how many degrees a film's view is wide, for its parallax.
        overwrite: whether what is there is made anew.
        progress: who is told of each frame.

    Raises:
        MediaError: something cannot be read or written, or the film has no parallax.
        NetworkError: the network cannot be used.
        SettingsError: a picture without a network.
    """
    progress = progress or Silence()
    checked_value(fov, FOV_KIND, "--fov")
    estimate = None if model is None else _nearness(depth_network(model), distances)
    if is_picture(source):
        return _of_picture(source, out, estimate, overwrite)
    film = probe_film(source)
    must_differ(source, out)
    encoders.check_place(out, True, folder=True)
    if overwrite:
        for each in _pictures(out):
            each.unlink()
    size = _seen(film.size, SIDE)
    apart = max(1, round(APART * film.rate))
    tell = _by_network(estimate) if estimate else _by_parallax(focal_length(fov, size))
    frames = film_frames(source, film, size, film.rate, 0, say=progress.say)
    with stoppable(out, "the same command again"), closing(frames):
        if not estimate:
            _must_travel(source, film, size, apart, tell)
        with media.storage_checked(out):
            out.mkdir(exist_ok=True)
        if made := len(_pictures(out)):
            progress.say(f"{out}: {made} depths are there and stay; --overwrite makes them anew")
        progress.begin(made, film.frames)
        _follow(map(from_pixels, frames), out, tell, apart, estimate is not None, progress)
    return out


def usual_depth(source: Path) -> Path:
    """Where the depth of a picture or a film goes: to a name after it."""
    return Path(f"{called(source)}-depth{'.png' if is_picture(source) else ''}")


def _of_picture(source: Path, out: Path, estimate: Estimate | None, overwrite: bool) -> Path:
    if estimate is None:
        raise SettingsError(
            f"{source}: is a picture, in which nothing moves; give a depth network with --model"
        )
    if out.suffix.lower() != ".png":
        raise MediaError(f"{out}: a depth is written as PNG, of 16 bits; name it .png")
    encoders.check_place(out, overwrite)
    picture = read_seed(source)
    values = estimate(photographic(picture, _seen(size_of(picture), 2 * SIDE)))
    with media.atomic_write(out) as part:
        part.write_bytes(packed(steadied(values, 1.0, None, None, True)))
    return out


def _seen(size: Size, longest: int) -> Size:
    """The size at which pictures are looked at: their own, or with a longer side of `longest`."""
    scale = min(1.0, longest / max(size))
    return Size(*(max(16, round(side * scale)) for side in size))


def _nearness(estimate: Estimate, distances: bool) -> Estimate:
    """What a network sees, the larger the nearer."""
    if not distances:
        return estimate

    def inverse(frame: Frame) -> np.ndarray:
        values = estimate(frame)
        return 1 / np.maximum(values, max(1e-3 * float(np.median(values)), 1e-9))

    return inverse


def _by_network(estimate: Estimate) -> Callable[[Window], Told]:
    return lambda window: (estimate(_middle(window)), 1.0)


def _by_parallax(focus: float) -> Callable[[Window], Told]:
    method, check = method_for(FLOW), check_for(FLOW)

    def tell(window: Window) -> Told:
        now = _middle(window)
        for other in (window[0], window[-1]):
            link = None if other is None else correspondence(now, other, method, check)
            if link and not link.cut:
                break
        else:
            return np.zeros(tuple(size_of(now)), np.float32), 0.0
        found = parallax(link.flow.numpy().astype(np.float64), link.trust.numpy(), focus)
        grey = now.mean(0).numpy()
        nearness, weight = (each.astype(np.float32) for each in found[:2])
        even = smoothed(nearness, weight, grey)
        return even, found.confidence

    return tell


def _must_travel(
    source: Path, film: media.Film, size: Size, apart: int, tell: Callable[[Window], Told]
) -> None:
    """Raise `MediaError` where the film's camera does not travel."""
    last = max(0, film.frames - 1 - apart)
    places = sorted({round(last * (part + 0.5) / TRIED) for part in range(TRIED)})
    sure = []
    for place in places:
        now, other = (
            media.picture_at(source, film, min(each, film.frames - 1), size=size)
            for each in (place, place + apart)
        )
        sure.append(tell((None, now, other))[1])
    if sum(sure) / len(sure) < LEAST:
        raise MediaError(
            f"{source}: its camera hardly travels, so nothing in it moves as near or far things "
            "do; give a depth network with --model, or draw a depth"
        )


def _follow(
    frames: Iterator[Frame],
    out: Path,
    tell: Callable[[Window], Told],
    apart: int,
    shifts: bool,
    progress: Progress,
) -> None:
    """Write the depths that are lacking, each going on from the one before."""
    method, check = method_for(FLOW), check_for(FLOW)
    for index, window in enumerate(_windows(frames, apart)):
        path = out / f"{index:06d}.png"
        if path.exists():
            continue
        now, earlier = _middle(window), window[len(window) // 2 - 1]
        values, sure = tell(window)
        before = None if not index else _read(path.with_name(f"{index - 1:06d}.png"))
        link = None if earlier is None else correspondence(now, earlier, method, check)
        with media.atomic_write(path) as part:
            part.write_bytes(packed(steadied(values, sure, before, link, shifts)))
        progress.frame(index, {})


def _windows(frames: Iterator[Frame], apart: int) -> Iterator[Window]:
    """Every frame between those up to `apart` before and after it."""
    window: deque[Frame | None] = deque([None] * (2 * apart + 1), 2 * apart + 1)
    for index in count():
        window.append(next(frames, None))
        if index >= apart:
            if window[apart] is None:
                return
            yield tuple(window)


def _middle(window: Window) -> Frame:
    frame = window[len(window) // 2]
    assert frame is not None
    return frame


def _read(path: Path) -> np.ndarray:
    return media.read_picture(path)[0].numpy()


def _pictures(folder: Path) -> list[Path]:
    return sorted(folder.glob("[0-9]*.png"))
