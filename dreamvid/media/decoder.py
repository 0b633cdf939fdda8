"""The ffmpeg that decodes a film: what it is asked for, and what it gives."""

import re
import signal
from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from queue import SimpleQueue

import numpy as np

from dreamvid.errors import EncodeError, MediaError
from dreamvid.frames import Size
from dreamvid.media.animations import Picture
from dreamvid.media.backgrounds import Colour
from dreamvid.media.ffmpeg import (
    QUIETLY,
    Watched,
    executable,
    is_complaint,
    last_words,
    plain,
)
from dreamvid.media.formats import DEMUXERS, LARGEST_PICTURE
from dreamvid.media.probing import Film
from dreamvid.media.profiles import HLG, PQ
from dreamvid.media.toning import toning

EARLY = Fraction(10)
"""Seconds: a picture is only as it should be once those it is made from are."""
_STAMP = "dreamvid-picture"
# ffmpeg writes the stamp of a picture at once, but its own lines in pieces: one may be in two.
_STAMPED = re.compile(rf"(.*){_STAMP} (-?\d+) (\d+/\d+)\n", re.S)

_FULL = "flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"
_UNSPECIFIED = 2  # of a matrix or primaries in ITU-T H.273
_STOPPED_BY_OTHERS = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}

# Warnings that tell of damage all the same.
_TORN = re.compile(r"\[warning\].*(corrupt|ended prematurely|truncated|partial file)", re.I)


class Decoder(Watched):
    """An ffmpeg that gives the pictures of a film, each with its time."""

    def __init__(
        self,
        path: Path,
        film: Film,
        size: Size | None,
        since: Fraction | None,
        background: Colour,
        threads: int,
        stall_seconds: float,
    ):
        self.path, self.film, self.size, self.background = path, film, size, background
        self.heard: SimpleQueue[str | None] = SimpleQueue()
        command = decoder_command(path, film, size, since, threads)
        super().__init__(command, self.heard.put, stall_seconds)

    def __enter__(self) -> "Decoder":
        return self

    def pictures(self) -> Generator[Picture, None, None]:
        """Every picture from where reading began, and the end."""
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
                times = self.film.times
                time = times[number] if number < len(times) else number / self.film.rate
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
        channels = 4 if has_alpha(self.film) else 3
        pixels = np.empty((*self.size, channels), "<u2" if self.film.depth > 8 else np.uint8)
        left = memoryview(pixels.data).cast("B")
        while left:
            got = self.process.stdout.readinto(left)  # pyright: ignore[reportAttributeAccessIssue]
            if not got:
                return None
            self.signs += 1
            left = left[got:]
        if channels == 4:
            pixels = _over(pixels, self.background)
        pixels.flags.writeable = False
        return pixels


def has_alpha(film: Film) -> bool:
    """Whether the film's transparency is decoded; not of one that is to be toned down."""
    return (film.alpha or film.alpha_stream is not None) and film.transfer not in (PQ, HLG)


def _over(pixels: np.ndarray, background: Colour) -> np.ndarray:
    """RGBA multiplied with its alpha, laid on a background: RGB."""
    colours = np.ascontiguousarray(pixels[..., :3])
    if any(background):
        top = np.iinfo(pixels.dtype).max
        through = 1 - pixels[..., 3:].astype(np.float32) / top
        shade = np.array(background, np.float32) * (top / 255)
        colours = np.rint(colours + through * shade).clip(0, top).astype(pixels.dtype)
    return colours


def decoder_command(
    path: Path, film: Film, size: Size | None, since: Fraction | None, threads: int
) -> list[str]:
    """What makes ffmpeg decode a film, from `since` or somewhat earlier, to its standard output."""
    seek, filters = [], []
    if since is not None:
        early = max(film.origin, film.origin + since - EARLY)
        seek = ["-seek_timestamp", "1", "-noaccurate_seek", "-ss", f"{float(early):.6f}"]
        if not film.variable:  # spare what is dropped anyway the conversion, but for two
            first = film.origin + since - Fraction(5, 2) / film.rate
            filters = [f"trim=start={float(first):.6f}"]
    joined = None
    if size:
        before, after = _filters(film, size)
        filters += [*before, *after]
        if has_alpha(film) and film.alpha_stream is not None:
            colours = f"[0:{film.stream}]{','.join([*before, 'format=gbrp'])}[colours]"
            alpha = f"[0:{film.alpha_stream}]extractplanes=y,format=gray[alpha]"
            rest = ",".join(["[colours][alpha]alphamerge", *after])
            joined = f"{colours};{alpha};{rest}[film]"
    deep, shallow = ("rgba64le", "rgba") if has_alpha(film) else ("rgb48le", "rgb24")
    pixels = deep if film.depth > 8 else shallow
    sink = ["-f", "rawvideo", "-pix_fmt", pixels, "pipe:1"] if size else ["-f", "null", "pipe:1"]
    if joined:
        chain = ["-filter_complex", joined, "-map", "[film]"]
    else:
        chain = ["-map", f"0:{film.stream}", *(["-vf", ",".join(filters)] if filters else [])]
    return [
        *(executable(), *QUIETLY, "-copyts", *seek),
        *("-protocol_whitelist", "file,pipe", "-format_whitelist", DEMUXERS),
        *("-threads", str(threads), "-max_pixels", str(LARGEST_PICTURE)),
        *(("-c:v", film.decoder) if film.decoder else ()),
        *("-i", f"file:{path.absolute()}", *chain, "-fps_mode", "passthrough"),
        *("-enc_time_base", "demux", "-stats_enc_pre", "pipe:2"),
        *("-stats_enc_pre_fmt", _STAMP + " {pts} {tb}"),
        *sink,
    ]


def _filters(film: Film, size: Size) -> tuple[list[str], list[str]]:
    """What makes a stored picture one to look at; ffmpeg turns it upright before.

    First what brings its own colours to RGB, where it has transparency, then all the rest.
    """
    filters = ["bwdif=mode=send_frame:deint=interlaced"] if film.interlaced else []
    sides = f"w={size.width}:h={size.height}"
    high = film.depth > 8
    unspecified = film.matrix == _UNSPECIFIED
    if film.transfer in (PQ, HLG):
        matrix = "min=bt2020nc:" if unspecified else ""
        primaries = "pin=bt2020:" if film.primaries == _UNSPECIFIED else ""
        return [], [*filters, *toning(f"{sides}:f=bicubic:{matrix}{primaries}")]
    # What players take a film for that does not say: old television below 720 lines.
    matrix = ("bt601" if film.height < 720 else "bt709") if unspecified else "auto"
    if has_alpha(film):
        # Scaled when multiplied, so that what is transparent colours nothing beside it.
        return [*filters, f"scale=in_color_matrix={matrix}:{_FULL}"], [
            *("format=" + ("gbrap16le" if high else "gbrap"), "premultiply=inplace=1"),
            *(f"scale={sides}:{_FULL}", "format=" + ("rgba64le" if high else "rgba")),
        ]
    scale = f"scale={sides}:in_color_matrix={matrix}:{_FULL}"
    return [], [*filters, scale, "format=" + ("rgb48le" if high else "rgb24")]
