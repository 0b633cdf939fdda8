"""Frames of a film: upright, square pixels, evenly timed, in sRGB-like colours, as a stream."""

import contextlib
from collections.abc import Callable, Generator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np

from dreamvid.errors import MediaError
from dreamvid.frames import Size
from dreamvid.media.animations import Picture, animation_pictures
from dreamvid.media.backgrounds import BLACK, WHITE, Colour, chosen
from dreamvid.media.decoder import EARLY, Decoder
from dreamvid.media.formats import EXACT_SEEKING
from dreamvid.media.probing import Film
from dreamvid.media.timing import placed

_LOOKED_AT = 24  # pictures, for one that tells which background suits a film


class Damage:
    """What is wrong with a film, as it shows while it is read."""

    def __init__(self, path: Path, strict: bool) -> None:
        self.path, self.strict = path, strict
        self.complaints, self.lost, self.first = 0, 0, ""

    def __bool__(self) -> bool:
        return bool(self.first)

    def hear(self, complaints: list[str]) -> None:
        """Take what ffmpeg complained of."""
        for line in complaints:
            self.complaints += 1
            self._tell(line)

    def lose(self, count: int, where: str) -> None:
        """Take that frames are gone, and what shows it."""
        self.lost += count
        self._tell(where)

    def _tell(self, what: str) -> None:
        self.first = self.first or what
        if self.strict:
            raise MediaError(
                f"{self.path}: is damaged ({what}); fetch it again or go on without --strict"
            )

    def __str__(self) -> str:
        faults = [f"{self.complaints} complaints of the decoder"] if self.complaints else []
        faults += [f"{self.lost} frames lost"] if self.lost else []
        return f"{' and '.join(faults)}, the first: {self.first}"


def decoded(
    path: Path,
    film: Film,
    *,
    size: Size | None = None,
    rate: Fraction | None = None,
    start: int = 0,
    count: int | None = None,
    background: Colour | None = None,
    strict: bool = False,
    say: Callable[[str], None] = lambda line: None,
    threads: int = 2,
    stall_seconds: float = 60,
) -> Generator[np.ndarray]:
    """Frames of a film one after the other, RGB (H, W, 3), uint8 or, beyond 8 bits, uint16.

    Equal indices give equal frames, whatever the range: a part of a film is that part of the
    whole. Where a picture fills several frames, the same read-only array comes several times.

    Args:
        path: the film.
        film: what `probe` found of it.
        size: of the frames; the film's own by default.
        rate: frames a second; another than the film's repeats or drops pictures, never blends.
        start: index of the first frame, at `rate`.
        count: how many frames; all that follow by default.
        background: what shows through transparent pixels, sRGB from 0 to 255; by default one on
            which the film shows, black where it can be.
        strict: raise at the first damage, rather than go on with what decodes.
        say: takes a line about a background that was chosen, and one about damage after the last
            frame.
        threads: of the decoder.
        stall_seconds: how long ffmpeg may take over one picture.

    Raises:
        MediaError: nothing decodes, ffmpeg hangs, or, where `strict`, anything is damaged.
        EncodeError: ffmpeg is missing, or was killed by someone else.
    """
    size, rate = size or film.size, rate or film.rate
    total = film.frames_at(rate)
    end = total if count is None else min(total, start + count)
    wanted = end - start
    if wanted <= 0:
        return
    damage = Damage(path, strict)
    if end == total and film.missing:
        wanted += placed(film.missing, rate)
        damage.lose(placed(film.missing, film.rate), "the file ends before the film does")
    given, held, place, own = 0, None, -1, -1
    if background is None and (film.alpha or film.alpha_stream is not None):
        background = _chosen_background(path, film, threads, stall_seconds, say)
    since, shade = Fraction(start) / rate, background or BLACK
    pictures = _pictures(path, film, size, since, shade, threads, stall_seconds)
    with contextlib.closing(pictures):
        for time, pixels, complaints in pictures:
            if time is None:  # the end; what remains is the last picture's
                damage.hear(complaints)
                due = min(end - 1, placed(film.last, rate))
                if held is None:
                    raise MediaError(
                        f"{path}: not a frame of it decodes; {damage or 'it is empty'}"
                    )
                if place < due:
                    damage.lose(due - place, "the last frames do not decode")
                    end = max(place + 1, start)
                break
            place, before, own = placed(time, rate), own, placed(time, film.rate)
            while held is not None and start + given < min(place, end):
                yield held
                given += 1
            if place >= end:
                break
            if place >= start:
                damage.hear(complaints)
                hole = own > before + 1 and not film.variable
                if hole and (held is not None or before < 0 == start):
                    damage.lose(own - before - 1, f"no frame at {float(time):.2f} s")
            held = pixels
    while held is not None and start + given < end:
        yield held
        given += 1
    if damage:
        say(f"{path.name}: is damaged ({damage}); {given} of {wanted} frames could be read")


def picture_at(
    path: Path,
    film: Film,
    seconds: Fraction,
    *,
    background: Colour | None = None,
    say: Callable[[str], None] = lambda line: None,
    threads: int = 2,
    stall_seconds: float = 60,
) -> np.ndarray:
    """The picture that a film shows at a time, RGB (H, W, 3), uint8 or, beyond 8 bits, uint16.

    Frames of a constant rate are not asked: a picture may stay longer or shorter than one.

    Args:
        path: the film.
        film: what `probe` found of it.
        seconds: from its first picture.
        background: as in `decoded`.
        say: takes a line about a background that was chosen.
        threads: of the decoder.
        stall_seconds: how long ffmpeg may take over one picture.

    Raises:
        MediaError: nothing decodes, or ffmpeg hangs.
    """
    if background is None and (film.alpha or film.alpha_stream is not None):
        background = _chosen_background(path, film, threads, stall_seconds, say)
    shade, shown = background or BLACK, None
    pictures = _pictures(path, film, film.size, seconds, shade, threads, stall_seconds)
    with contextlib.closing(pictures):
        for time, pixels, _ in pictures:
            if time is None or (shown is not None and time > seconds):
                break
            shown = pixels
    if shown is None:
        raise MediaError(f"{path}: not a frame of it decodes; fetch or save it again")
    return shown


def _pictures(
    path: Path,
    film: Film,
    size: Size | None,
    since: Fraction,
    background: Colour,
    threads: int,
    stall_seconds: float,
) -> Generator[Picture, None, None]:
    """Every distinct picture of a film from the one shown at `since`, or earlier, to the end."""
    if film.animation:
        yield from animation_pictures(path, film.animation, size, background)
        return
    seeking = film.timed and any(name in film.container for name in EXACT_SEEKING)
    if seeking and since > EARLY:
        with Decoder(path, film, size, since, background, threads, stall_seconds) as decoder:
            pictures = decoder.pictures()
            first = next(pictures)
            # An index may be wrong.
            if first[0] is not None and first[0] <= since:
                yield first
                yield from pictures
                return
    with Decoder(path, film, size, None, background, threads, stall_seconds) as decoder:
        yield from decoder.pictures()


def _chosen_background(
    path: Path, film: Film, threads: int, stall_seconds: float, say: Callable[[str], None]
) -> Colour:
    """What a film shows best on, by the first of its pictures that is neither empty nor full."""

    def shown_on(background: Colour) -> Generator[np.ndarray]:
        pictures = _pictures(path, film, film.size, Fraction(0), background, threads, stall_seconds)
        with contextlib.closing(pictures):
            for _, pixels, _ in islice(pictures, _LOOKED_AT):
                if pixels is not None:
                    yield pixels

    # What a picture shows on black and on white tells both its colours and its alpha.
    with contextlib.ExitStack() as stack:
        pairs = [stack.enter_context(contextlib.closing(shown_on(each))) for each in (BLACK, WHITE)]
        for black, white in zip(*pairs, strict=False):
            top = np.iinfo(black.dtype).max
            alpha = 1 - (white.astype(np.float32) - black).mean(axis=-1) / top
            if 0.001 < alpha.mean() < 0.999:
                straight = (black / np.maximum(alpha, 1 / 255)[..., None]).clip(0, top)
                colour, line = chosen(straight.astype(black.dtype), alpha)
                say(f"{path.name}: {line}")
                return colour
    return BLACK


def check_whole(path: Path, film: Film, *, threads: int = 2, stall_seconds: float = 60) -> None:
    """Decode the film at `path` to its end and raise `MediaError` where anything is damaged."""
    damage = Damage(path, strict=True)
    if film.missing:
        damage.lose(placed(film.missing, film.rate), "the file ends before the film does")
    before, found = -1, 0
    pictures = _pictures(path, film, None, Fraction(0), BLACK, threads, stall_seconds)
    with contextlib.closing(pictures):
        for time, _, complaints in pictures:
            damage.hear(complaints)
            if time is None:
                break
            place, found = placed(time, film.rate), found + 1
            if place > before + 1 and not film.variable:
                damage.lose(place - before - 1, f"no frame at {float(time):.2f} s")
            before = place
    if before < placed(film.last, film.rate) or (film.variable and found < film.pictures):
        damage.lose(1, "the last frames do not decode")
