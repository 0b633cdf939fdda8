"""What is between two frames of a job, by its own motion or by the flow of its film."""

from collections.abc import Iterator

from dreamvid.dream.timeline import Timeline
from dreamvid.film.fading import Undreamed
from dreamvid.film.interpolating import Filling, along_flow, along_motion
from dreamvid.frames import Frame
from dreamvid.jobs.folder import Job
from dreamvid.jobs.unchanged import travelling
from dreamvid.motion.optical_flow import Correspondence, correspondence, method_for


def by_own_motion(job: Job) -> Filling:
    """Between the frames of a zoom or a loop."""
    settings, kind = job.manifest.settings, job.manifest.kind
    timeline = Timeline(settings)
    travelling(job, timeline)
    period = settings.film.length if kind == "loop" else None
    return along_motion(timeline.motion, settings.film.rate, period, timeline.scene)


def by_flow(job: Job, undreamed: Undreamed) -> Filling:
    """Between the frames of a film dreamed over; `undreamed` gives its own, from an index on."""
    method = method_for(job.manifest.settings.flow)
    reading: list[Iterator[Frame]] = []
    kept: dict[int, tuple[Correspondence, Correspondence]] = {}
    last: list[tuple[int, Frame]] = []

    def link(index: int) -> tuple[Correspondence, Correspondence]:
        if index not in kept:
            if not last or last[0][0] != index:
                reading[:] = [undreamed(index, False)]
                last[:] = [(index, next(reading[0]))]
            then, now = last[0][1], next(reading[0])
            last[:] = [(index + 1, now)]
            kept.clear()
            kept[index] = correspondence(now, then, method), correspondence(then, now, method)
        return kept[index]

    return along_flow(link)
