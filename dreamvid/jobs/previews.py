"""Small films that quickly show what a long one will be: its motion alone, then its dream."""

import tempfile
from dataclasses import replace
from pathlib import Path

from dreamvid.dream.dreamer import Dreamer, dreamer_for
from dreamvid.dream.octaves import octave_sizes
from dreamvid.frames import Frame, Size, photographic, quantised, size_of
from dreamvid.jobs.folder import Job, Manifest
from dreamvid.jobs.progress import Progress
from dreamvid.jobs.runs import Run
from dreamvid.media import encoders
from dreamvid.settings import Settings

QUARTER = 4


def made(
    start: Frame, manifest: Manifest, dreamer: Dreamer, overwrite: bool, progress: Progress
) -> None:
    """Make ``OUT-motion`` and ``OUT-quarter`` beside the film, a quarter of its size.

    Those that are there already stay, unless they may be overwritten.
    """
    small = _quartered(manifest.settings, size_of(start), dreamer.network.smallest_side)
    for name, settings in (
        ("motion", small.changed("ascent", iterations=0, later=None)),
        ("quarter", small),
    ):
        out = manifest.out.with_name(f"{manifest.out.stem}-{name}{manifest.out.suffix}")
        if encoders.is_pipe(manifest.out):
            out = manifest.out.with_name(f"{name}.mp4")
        if out.exists() and not overwrite:
            progress.say(f"{out.name} is there already")
            continue
        encoders.check_output(out, overwrite)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder:
            picture = quantised(photographic(start, settings.film.pixels), settings.film.depth)
            job = Job.create(Path(folder), replace(manifest, settings=settings), picture)
            Run(job, out, settings, overwrite, progress, dreamer_for(settings)).finish()
        progress.say(f"preview: {out}")


def _quartered(settings: Settings, size: Size, smallest: int) -> Settings:
    """The same film at a quarter of its size, with as many octaves as fit there."""
    scale = max(1 / QUARTER, min(1.0, smallest / min(size)))
    small = Size(*(max(smallest, round(side * scale)) for side in size))
    count = settings.octaves.count
    while count > 1:
        fewer = replace(settings.octaves, count=count)
        if min(octave_sizes(small, fewer)[0]) >= smallest:
            break
        count -= 1
    return settings.changed("octaves", count=count).changed("film", size=small)
