"""A recording of a live dream: an ordinary job, encoded at the end, and again at any time."""

from fractions import Fraction
from pathlib import Path

import numpy as np

from dreamvid.frames import Size, from_pixels
from dreamvid.jobs.folder import SUFFIX, Job, Manifest
from dreamvid.jobs.progress import Progress
from dreamvid.jobs.provenance import this_machine
from dreamvid.jobs.runs import Run
from dreamvid.machine.worker import Worker
from dreamvid.media import encoders
from dreamvid.networks.base import Network
from dreamvid.settings import Settings

KIND = "live"
CLOSE = 0.05
"""A rate that differs by less is the one that was asked for."""


class Recording:
    """Frames on their way into a job folder; a context manager.

    Frames are written beside the dream. Where the disk is slower than the dream, the dream waits.
    """

    def __init__(
        self, out: Path, settings: Settings, size: Size, fps: float, overwrite: bool
    ) -> None:
        """Raise a `DreamvidError` where the film cannot be written."""
        encoders.check_output(out, overwrite)
        self.out, self.overwrite = out, overwrite
        rate = Fraction(fps).limit_denominator(1001)
        self.settings = settings.changed("film", size=size, fps=rate, frames=1)
        self.job: Job | None = None
        self.count = 0
        self._worker = Worker()

    def begin(self, network: Network) -> None:
        """Make the job folder."""
        folder = self.out.with_name(self.out.name + SUFFIX)
        Job.claim(folder, None, self.out)
        manifest = Manifest(
            kind=KIND,
            settings=self.settings,
            out=self.out.absolute(),
            source={"path": "", "sha256": ""},
            weights_sha256=network.weights_sha256 or "",
            machine=this_machine(network),
            begun_in=folder.absolute(),
        )
        self.job = Job.create(folder, manifest)

    def write(self, pixels: np.ndarray) -> None:
        """One more frame (H, W, 3), RGB, uint8."""
        job, index, kept = self.job, self.count, pixels.copy()
        if job is None:
            return
        self._worker(lambda: job.write(index, from_pixels(kept), {}))
        self.count += 1

    def finish(self, rate: float, progress: Progress) -> Path | None:
        """Encode what was recorded; the film's path, or None where nothing was.

        The film has the rate that was held: `rate` is that of the dream, in frames a second.
        """
        self._worker.wait()
        if self.job is None or not self.count:
            return None
        asked = float(self.settings.film.rate)
        fps = asked if abs(rate / asked - 1) < CLOSE else max(1.0, rate)
        settings = self.settings.changed(
            "film", frames=self.count, fps=Fraction(fps).limit_denominator(100)
        )
        run = Run(self.job, self.out, settings, self.overwrite, progress)
        return run.encode(range(self.count))
