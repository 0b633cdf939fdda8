"""Frames of a film: upright, square pixels, evenly timed, in sRGB-like colours, as a stream."""

import contextlib
import re
import signal
import subprocess
from collections.abc import Callable, Generator, Iterator
from fractions import Fraction
from pathlib import Path
from queue import SimpleQueue

import numpy as np
from PIL import Image

from dreamvid.errors import EncodeError, MediaError
from dreamvid.frames import Size
from dreamvid.media.ffmpeg import (
    QUIETLY,
    Watched,
    executable,
    is_complaint,
    killed,
    last_words,
    plain,
    started,
)
from dreamvid.media.formats import DEMUXERS, EXACT_SEEKING, damaged, head_of
from dreamvid.media.pictures import LARGEST_PICTURE
from dreamvid.media.probing import Film
from dreamvid.media.timing import placed

EARLY = Fraction(10)  # seconds: a picture is only as it should be once those it is made from are
_STAMP = "dreamvid-picture"
# ffmpeg writes the stamp of a picture at once, but its own lines in pieces: one may be in two.
_STAMPED = re.compile(rf"(.*){_STAMP} (-?\d+) (\d+/\d+)\n", re.S)

_FULL = "flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"
_STOPPED_BY_OTHERS = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
_PQ, _HLG, _BT2020 = 16, 18, 9


# Warnings that tell of damage all the same.
_TORN = re.compile(r"\[warning\].*(corrupt|ended prematurely|truncated|partial file)", re.I)

Picture = tuple[Fraction | None, np.ndarray | None, list[str]]
"""Film time, pixels where they were asked for, and what ffmpeg complained of since the one before.
The last of a film has neither time nor pixels."""


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
        strict: raise at the first damage, rather than go on with what decodes.
        say: takes a line about damage, once, after the last frame.
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
    pictures = _pictures(path, film, size, Fraction(start) / rate, threads, stall_seconds)
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
                if (
                    own > before + 1
                    and not film.variable
                    and (held is not None or before < 0 == start)
                ):
                    damage.lose(own - before - 1, f"no frame at {float(time):.2f} s")
            held = pixels
    while held is not None and start + given < end:
        yield held
        given += 1
    if damage:
        say(f"{path.name}: is damaged ({damage}); {given} of {wanted} frames could be read")


def _pictures(
    path: Path, film: Film, size: Size | None, since: Fraction, threads: int, stall_seconds: float
) -> Generator[Picture, None, None]:
    """Every distinct picture of a film from the one shown at `since`, or earlier, to the end."""
    if film.container == "webp":
        yield from _webp_pictures(path, film, size)
        return
    seeking = film.timed and any(name in film.container for name in EXACT_SEEKING)
    if seeking and since > EARLY:
        with _Decoder(path, film, size, since, threads, stall_seconds) as decoder:
            pictures = decoder.pictures()
            first = next(pictures)
            # An index may be wrong.
            if first[0] is not None and first[0] <= since:
                yield first
                yield from pictures
                return
    with _Decoder(path, film, size, None, threads, stall_seconds) as decoder:
        yield from decoder.pictures()


class _Decoder(Watched):
    """An ffmpeg that gives the pictures of a film, each with its time."""

    def __init__(
        self,
        path: Path,
        film: Film,
        size: Size | None,
        since: Fraction | None,
        threads: int,
        stall_seconds: float,
    ):
        self.path, self.film, self.size = path, film, size
        self.heard: SimpleQueue[str | None] = SimpleQueue()
        command = _command(path, film, size, since, threads)
        super().__init__(command, self.heard.put, stall_seconds)

    def __enter__(self) -> "_Decoder":
        return self

    def pictures(self) -> Generator[Picture, None, None]:
        complaints: list[str] = []
        begun, number = "", 0
        self.waiting = True
        while (line := self.heard.get()) is not None:
            stamped = _STAMPED.fullmatch(line)
            if not stamped:
                line, begun = begun + line, ""
                if is_complaint(line) or _TORN.search(line):
                    complaints.append(plain(line))
                continue
            piece, ticks, base = stamped.groups()
            begun += piece
            pixels = self._read() if self.size else None
            if self.size and pixels is None:
                continue  # ffmpeg is gone; its last words follow
            time = int(ticks) * Fraction(base) - self.film.origin
            if not self.film.timed:
                time = number / self.film.rate
            number += 1
            self.waiting = False
            yield time, pixels, complaints
            complaints, self.waiting = [], True
        status = self.process.wait()
        if self.stalled:
            raise MediaError(
                f"{self.path}: ffmpeg made no frame of it for {self.stall_seconds:g} s and was "
                "stopped; convert the film first"
            )
        if -status in _STOPPED_BY_OTHERS:
            # Not the film's fault: taken for its end, the dream of it would be short.
            raise EncodeError(
                f"{self.path}: ffmpeg was killed while it read the film (signal {-status}); "
                "go on where it stopped"
            )
        if status and not complaints:
            complaints.append(last_words([], status))
        yield None, None, complaints

    def _read(self) -> np.ndarray | None:
        assert self.process.stdout is not None
        assert self.size is not None
        pixels = np.empty((*self.size, 3), "<u2" if self.film.depth > 8 else np.uint8)
        left = memoryview(pixels.data).cast("B")
        while left:
            got = self.process.stdout.readinto(left)  # pyright: ignore[reportAttributeAccessIssue]
            if not got:
                return None
            self.signs += 1
            left = left[got:]
        pixels.flags.writeable = False
        return pixels


def _command(
    path: Path, film: Film, size: Size | None, since: Fraction | None, threads: int
) -> list[str]:
    seek, filters = [], []
    if since is not None:
        early = max(film.origin, film.origin + since - EARLY)
        seek = ["-seek_timestamp", "1", "-noaccurate_seek", "-ss", f"{float(early):.6f}"]
        if not film.variable:  # spare what is dropped anyway the conversion, but for two
            first = film.origin + since - Fraction(5, 2) / film.rate
            filters = [f"trim=start={float(first):.6f}"]
    if size:
        filters += _filters(film, size)
    pixels = "rgb48le" if film.depth > 8 else "rgb24"
    sink = ["-f", "rawvideo", "-pix_fmt", pixels, "pipe:1"] if size else ["-f", "null", "pipe:1"]
    return [
        *(executable(), *QUIETLY, "-copyts", *seek),
        *("-protocol_whitelist", "file,pipe", "-format_whitelist", DEMUXERS),
        *("-threads", str(threads), "-max_pixels", str(LARGEST_PICTURE)),
        *(("-c:v", film.decoder) if film.decoder else ()),
        *("-i", f"file:{path.absolute()}", "-map", f"0:{film.stream}", "-fps_mode", "passthrough"),
        *("-enc_time_base", "demux", "-stats_enc_pre", "pipe:2"),
        *("-stats_enc_pre_fmt", _STAMP + " {pts} {tb}"),
        *(("-vf", ",".join(filters)) if filters else ()),
        *sink,
    ]


def _filters(film: Film, size: Size) -> list[str]:
    """What makes a stored picture one to look at; ffmpeg turns it upright before."""
    filters = ["bwdif=mode=send_frame:deint=interlaced"] if film.interlaced else []
    sides = f"w={size.width}:h={size.height}"
    high = film.depth > 8
    unspecified = film.matrix == 2
    if film.transfer in (_PQ, _HLG):
        matrix = ":min=bt2020nc" if unspecified else ""
        primaries = ":pin=bt2020" if film.primaries == 2 else ""
        return [
            *filters,
            f"zscale={sides}:f=bicubic{matrix}{primaries}:t=linear:npl=203",
            "format=gbrpf32le",
            "zscale=p=bt709",
            "tonemap=mobius:param=0.3:peak=4.926",
            "zscale=t=bt709",
            "format=gbrp16le",
        ]
    # What players take a film for that does not say: old television below 720 lines.
    matrix = ("bt601" if film.height < 720 else "bt709") if unspecified else "auto"
    scale = f"scale={sides}:in_color_matrix={matrix}:{_FULL}"
    if film.alpha:
        return [
            *(*filters, f"scale=in_color_matrix={matrix}:{_FULL}"),
            *("format=" + ("gbrap16le" if high else "gbrap"), "premultiply=inplace=1"),
            *(f"scale={sides}:{_FULL}", "format=" + ("rgb48le" if high else "rgb24")),
        ]
    return [*filters, scale, "format=" + ("rgb48le" if high else "rgb24")]


def _webp_pictures(path: Path, film: Film, size: Size | None) -> Generator[Picture, None, None]:
    time = Fraction(0)
    try:
        with Image.open(path, formats=["WEBP"]) as film_:
            for index in range(getattr(film_, "n_frames", 1)):
                film_.seek(index)
                film_.load()
                pixels = None
                if size:
                    picture = Image.new("RGBA", film_.size, "black")
                    picture.alpha_composite(film_.convert("RGBA"))
                    sides = (size.width, size.height)
                    picture = picture.convert("RGB").resize(sides, Image.Resampling.BICUBIC)
                    pixels = np.array(picture)
                    pixels.flags.writeable = False
                yield time, pixels, []
                time += Fraction(int(film_.info.get("duration", 0)), 1000)
    except Exception as error:  # as in `read_picture`
        raise damaged(path, error) from error
    yield None, None, []


def check_whole(path: Path, film: Film, *, threads: int = 2, stall_seconds: float = 60) -> None:
    """Decode the film at `path` to its end and raise `MediaError` where anything is damaged."""
    damage = Damage(path, strict=True)
    if film.missing:
        damage.lose(placed(film.missing, film.rate), "the file ends before the film does")
    before, found = -1, 0
    pictures = _pictures(path, film, None, Fraction(0), threads, stall_seconds)
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


def frames_of(path: Path) -> Iterator[np.ndarray]:
    """Every frame of a film of ours, RGB uint8 (H, W, 3), in order.

    Raises:
        MediaError: the file is missing or damaged.
    """
    head_of(path)
    command = [
        *(executable(), "-nostdin", "-v", "error", "-xerror"),
        *("-protocol_whitelist", "file,pipe", "-format_whitelist", DEMUXERS),
        *("-i", f"file:{Path(path).absolute()}", "-map", "0:V:0", "-fps_mode", "passthrough"),
        *("-vf", "scale=flags=bicubic+accurate_rnd+full_chroma_int,format=rgb24"),
        # PPM carries the size of each frame, so none has to be known before.
        *("-c:v", "ppm", "-f", "image2pipe", "-"),
    ]
    nothing = subprocess.DEVNULL
    process = started(command, stdin=nothing, stdout=subprocess.PIPE, stderr=nothing)
    assert process.stdout is not None
    try:
        yield from _ppm_frames(process.stdout.read)
        if process.wait():
            raise MediaError(f"{path}: is not a film of ours, or damaged; encode it again")
    finally:
        killed(process)
        process.stdout.close()
        process.wait()


def _ppm_frames(read: Callable[[int], bytes]) -> Iterator[np.ndarray]:
    while read(3) == b"P6\n":
        header = b""
        while header.count(b"\n") < 2 and (byte := read(1)):
            header += byte
        width, height, _ = map(int, header.split())
        data = read(width * height * 3)
        if len(data) < width * height * 3:
            return
        yield np.frombuffer(data, np.uint8).reshape(height, width, 3)
