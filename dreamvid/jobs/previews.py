"""Small films that show what a long one will be: its motion alone, and its dream.

A small film of as many octaves would be another film: its shapes are larger. So the preview has
those octaves of the film that are no larger than the preview itself, at their own sizes in pixels.
"""

import math
import tempfile
from dataclasses import replace
from pathlib import Path

from dreamvid import media
from dreamvid.dream.dreamer import Dreamer, dreamer_for
from dreamvid.dream.octaves import octave_sizes, smallest_octaves
from dreamvid.errors import MediaError, SettingsError, Stopped
from dreamvid.frames import Frame, Size, photographic, quantised
from dreamvid.jobs.folder import Job, Manifest
from dreamvid.jobs.progress import Progress
from dreamvid.jobs.provenance import told_of
from dreamvid.jobs.runs import Run
from dreamvid.media import encoders
from dreamvid.settings import Settings

SMALLER = 2
"""How many times as long as the preview's side the film's is: a quarter of the pixels."""
MOTION, QUARTER, BOTH = "motion", "quarter", "both"
KINDS = {MOTION: (MOTION,), QUARTER: (QUARTER,), BOTH: (MOTION, QUARTER)}
"""What is made for each kind of preview; only after `BOTH` comes the film."""


def kind_of(asked: str | bool | None) -> str:
    """The kind of preview that is asked for; empty for none. `SettingsError` for no kind."""
    kind = {True: BOTH, False: "", None: ""}.get(asked, asked)  # pyright: ignore
    if kind and kind not in KINDS:
        raise SettingsError(
            f"--preview: got {asked!r}, expected {MOTION} or {QUARTER}; alone it makes both, and "
            "then the film"
        )
    return str(kind)


def made(
    kind: str,
    start: Frame,
    manifest: Manifest,
    dreamer: Dreamer,
    overwrite: bool,
    progress: Progress,
) -> list[Path]:
    """Make ``OUT-motion`` or ``OUT-quarter`` beside the film, or both; where they are.

    They replace older previews.
    """
    settings = manifest.settings
    block = encoders.encoding_for(manifest.out, settings.encode).block
    small = smaller(settings, dreamer.network.smallest_side, block)
    if QUARTER in KINDS[kind] and _coarser(small, settings):
        progress.say("the preview's shapes are larger than the film's: too few octaves to drop one")
    films = {MOTION: small.changed("ascent", iterations=0, later=None), QUARTER: small}
    return [_film(each, films[each], start, manifest, dreamer, overwrite, progress)
            for each in KINDS[kind]]  # fmt: skip


def _film(
    name: str,
    settings: Settings,
    start: Frame,
    manifest: Manifest,
    dreamer: Dreamer,
    overwrite: bool,
    progress: Progress,
) -> Path:
    out = manifest.out.with_name(f"{manifest.out.stem}-{name}{manifest.out.suffix}")
    if encoders.is_pipe(manifest.out):
        out = manifest.out.with_name(f"{name}.mp4")
    may = overwrite or _is_ours(out)
    encoders.check_output(out, may)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder:
        picture = quantised(photographic(start, settings.film.pixels), settings.film.depth)
        job = Job.create(Path(folder), replace(manifest, settings=settings), picture)
        small = dreamer_for(settings, net=dreamer.network)
        try:
            Run(job, out, settings, may, progress, small).finish()
        except Stopped as stopped:
            # Its job goes with it.
            raise Stopped(stopped.signal, out, "the same command again") from None
    progress.say(f"preview: {out}")
    return out


def smaller(settings: Settings, smallest: int, block: Size) -> Settings:
    """The same film at about half its side, without the octaves that are larger than that.

    At least one octave stays. Sides are multiples of `block`, and at least `smallest`.
    """
    octaves, whole = settings.octaves, settings.film.pixels
    dropped = min(round(math.log(SMALLER) / math.log(octaves.scale)), octaves.count - 1)
    if dropped:
        size = octave_sizes(whole, octaves)[-1 - dropped]
    else:
        scale = max(1 / SMALLER, min(1.0, smallest / min(whole)))
        size = Size(*(max(smallest, round(side * scale)) for side in whole))
    size = Size(*(round(side / each) * each for side, each in zip(size, block, strict=True)))
    return smallest_octaves(settings, octaves.count - dropped).changed("film", size=size)


def _coarser(small: Settings, settings: Settings) -> bool:
    """Whether no octave could be dropped although the size is smaller."""
    return (
        small.octaves.count == settings.octaves.count and small.film.pixels != settings.film.pixels
    )


def _is_ours(out: Path) -> bool:
    """Whether dreamvid made what is there."""
    try:
        told_of(media.read_metadata(out / "000000.png" if out.is_dir() else out))
    except (MediaError, SettingsError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return True
