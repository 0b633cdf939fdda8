"""What becomes of finished frames on their way into a film: a program of the user's, a network."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from dreamvid.errors import SettingsError
from dreamvid.film.upscaling import Enlarge, upscaler
from dreamvid.frames import Frame
from dreamvid.jobs.folder import Job
from dreamvid.jobs.outside import Frames, command_of, passed
from dreamvid.machine.devices import device_for


@dataclass(frozen=True)
class Treatment:
    """What is asked for; nothing leaves the frames as they are."""

    through: str | None = None
    """A command that reads pictures in {in} and writes others into {out}."""
    upscale: int | None = None
    """How many times as large; none: as much as the network does."""
    upscaler: Path | None = None
    """A network that enlarges pictures."""


class Treated(NamedTuple):
    """Frames on their way, and how many there are."""

    frames: Iterator[Frame]
    number: int
    times: int = 1
    """How many there are for each one that came."""


Treat = Callable[[Frames, int], Treated]


@contextmanager
def treating(asked: Treatment, job: Job, depth: int, say: Callable[[str], None]) -> Iterator[Treat]:
    """What treats frames as `asked`; all that can be wrong beforehand is found before it is used.

    What a program makes is kept in the folder of `job` until the block ends well.

    Raises:
        SettingsError: something is missing, or there is no such program.
        NetworkError: the network cannot be used.
    """
    if asked.upscale and not asked.upscaler:
        raise SettingsError(
            f"--upscale: got {asked.upscale} and no network; name one that you have with "
            "--upscaler FILE"
        )
    command = None if asked.through is None else command_of(asked.through)
    enlarge: Enlarge | None = None
    if asked.upscaler:
        device = device_for(job.manifest.settings.machine.device)
        enlarge = upscaler(asked.upscaler, device, asked.upscale)
    folder = job.folder / "through"

    def treat(frames: Frames, count: int) -> Treated:
        made = Treated(frames(range(count)), count)
        if command:
            through = passed(frames, count, command, folder, depth, say)
            made = Treated(through.frames(), len(through.pictures), through.times)
            if made.times > 1:
                say(f"the program made {made.times} frames of each; the film plays as fast")
        return made._replace(frames=map(enlarge, made.frames)) if enlarge else made

    yield treat
    if command:
        shutil.rmtree(folder, ignore_errors=True)
