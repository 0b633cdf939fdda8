"""Frames through a program of the user's: an interpolator, an upscaler, any that fills a folder.

The program is called for one part of the film after another. A part that is whole stays until the
film is made, so a run that was stopped goes on where it was.
"""

import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from dreamvid import media
from dreamvid.errors import MediaError, SettingsError
from dreamvid.frames import Frame, Size, size_of

Frames = Callable[[range], Iterator[Frame]]
"""From which frames of a film to those frames."""
READS, WRITES = "{in}", "{out}"
PART = 120
"""About how many frames the program is given at once."""
DONE = "part.json"
"""What a part that is whole has; it tells what it was made of."""
TOLD = 160
"""The most of a program's own words that is told."""


class Passed(NamedTuple):
    """What a program made of the frames of a film."""

    pictures: tuple[Path, ...]
    """In order; the last may be there several times."""
    times: int
    """How many there are for each frame: 1, or more from an interpolator."""

    def frames(self) -> Iterator[Frame]:
        """The pictures, read."""
        return map(media.read_picture, self.pictures)


def command_of(text: str) -> tuple[str, ...]:
    """The words of a command that reads pictures in ``{in}`` and writes into ``{out}``.

    Raises:
        SettingsError: a place is missing, a quote is open, or there is no such program.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise SettingsError(f"--through: {text!r} cannot be read ({error}); close it") from None
    for place in (READS, WRITES):
        if not any(place in word for word in words):
            raise SettingsError(
                f"--through: got {text!r}, expected {place} in it, which stands for a folder of "
                f'pictures; such as --through "program -i {READS} -o {WRITES}"'
            )
    if shutil.which(words[0]) is None:
        raise SettingsError(
            f"--through: there is no program {words[0]!r} here; install it, or give its whole path"
        )
    return tuple(words)


def passed(
    frames: Frames,
    count: int,
    command: Sequence[str],
    folder: Path,
    depth: int,
    say: Callable[[str], None],
) -> Passed:
    """What `command` makes of `count` frames, its parts kept in `folder`.

    Raises:
        MediaError: it failed, or gave too few pictures, or some of another size.
    """
    parts = max(1, round(count / PART))
    ends = [count * part // parts for part in range(parts + 1)]
    pictures: list[Path] = []
    times = 0
    for part, (begin, end) in enumerate(pairwise(ends)):
        # With the first of the next part, so that an interpolator knows where the last one goes.
        given = range(begin, min(end + 1, count))
        sha256, size = _written(frames(given), command, folder / "in", depth)
        whole = folder / f"{part:06d}"
        if not _is_done(whole, sha256):
            _made(command, folder, len(given), size)
            with media.storage_checked(folder):
                shutil.rmtree(whole, ignore_errors=True)
                (folder / "out" / DONE).write_text(json.dumps({"sha256": sha256}))
                (folder / "out").replace(whole)
        made = _pictures(whole)
        each = _times(len(made), len(given))
        if times and each != times:
            raise MediaError(
                f"--through: {_name(command)} gave {times} pictures for each frame, and then "
                f"{each}; expected as many throughout"
            )
        times = each
        kept = made[: times * (end - begin)]
        # An interpolator may add nothing after the last frame of all.
        pictures += [*kept, *[kept[-1]] * (times * (end - begin) - len(kept))]
        say(f"through {_name(command)}: {end} of {count} frames")
    return Passed(tuple(pictures), times)


def _made(command: Sequence[str], folder: Path, given: int, size: Size) -> None:
    """Have `out` in a folder made of what is in its `in`, and check it."""
    writes = folder / "out"
    with media.storage_checked(folder):
        shutil.rmtree(writes, ignore_errors=True)
        writes.mkdir()
    _run(command, folder / "in", writes, folder / "log.txt")
    _check(_pictures(writes), given, size, _name(command))


def _written(
    frames: Iterator[Frame], command: Sequence[str], folder: Path, depth: int
) -> tuple[str, Size]:
    """Write frames for a command; return a hash of both and the size of the frames."""
    told = hashlib.sha256(json.dumps(list(command)).encode())
    with media.storage_checked(folder):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    size = Size(0, 0)
    for index, frame in enumerate(frames):
        path, size = folder / f"{index:06d}.png", size_of(frame)
        media.write_picture(frame, path, depth)
        told.update(path.read_bytes())
    return told.hexdigest(), size


def _is_done(folder: Path, sha256: str) -> bool:
    try:
        return json.loads((folder / DONE).read_text()) == {"sha256": sha256}
    except (OSError, ValueError):
        return False


def _run(command: Sequence[str], reads: Path, writes: Path, log: Path) -> None:
    """Run a command to its end; its own words go to `log`."""
    places = {READS: str(reads.absolute()), WRITES: str(writes.absolute())}
    words = [_filled(word, places) for word in command]
    with log.open("wb") as told:
        try:
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=told, stderr=told, start_new_session=True
            )
        except OSError as error:
            raise MediaError(f"--through: {words[0]}: cannot be run ({error.strerror})") from None
        try:
            status = process.wait()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if status:
        lines = log.read_text("utf-8", "replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
        raise MediaError(
            f"--through: {_name(command)} failed with status {status} ({said[:TOLD]}); "
            f"all it said is in {log}"
        )


def _filled(word: str, places: dict[str, str]) -> str:
    for place, path in places.items():
        word = word.replace(place, path)
    return word


def _check(made: Sequence[Path], given: int, size: Size, name: str) -> None:
    """Raise `MediaError` where what a program made does not belong to frames `given` at `size`."""
    if not _times(len(made), given):
        raise MediaError(
            f"--through: {name} gave {len(made)} pictures for {given} frames; expected {given}, "
            f"or from an interpolator {2 * given - 1}, {2 * given} and so on"
        )
    first = media.picture_size(made[0])
    grown = first.width // size.width
    if first != (size.height * grown, size.width * grown):
        raise MediaError(
            f"--through: {name} gave pictures of {first}; expected {size}, or a whole multiple"
        )
    for path in made:
        if (got := media.picture_size(path)) != first:
            raise MediaError(
                f"--through: {name} gave {path.name} as {got}, and others as {first}; expected "
                "one size"
            )


def _times(made: int, given: int) -> int:
    """How many pictures there are for each frame that was given; 0 where that is no number."""
    if made >= given and made % given == 0:
        return made // given
    if made > given and (made - 1) % (given - 1) == 0:
        return (made - 1) // (given - 1)
    return 0


def _pictures(folder: Path) -> list[Path]:
    files = sorted(folder.iterdir(), key=lambda each: media.natural(each.name))
    return [each for each in files if each.is_file() and media.is_picture(each)]


def _name(command: Sequence[str]) -> str:
    return Path(command[0]).name
