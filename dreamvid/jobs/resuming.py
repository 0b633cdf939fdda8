"""Jobs that were begun, gone on with; and their frames, encoded again."""

from dataclasses import replace
from pathlib import Path

from dreamvid.errors import ResumeError, SettingsError
from dreamvid.jobs.disk import bytes_from
from dreamvid.jobs.folder import Job
from dreamvid.jobs.kinds import kind_of
from dreamvid.jobs.moving import at_home
from dreamvid.jobs.progress import Progress, Silence
from dreamvid.jobs.provenance import frames_of_job
from dreamvid.jobs.runs import Run
from dreamvid.jobs.shots import must_be_whole
from dreamvid.jobs.stopping import stoppable
from dreamvid.media import encoders
from dreamvid.settings import Tree
from dreamvid.sizes import Duration


def resume(
    job: Job,
    out: Path | None = None,
    *,
    frames: int | Duration | None = None,
    min_free: int | str | None = None,
    source: Path | None = None,
    overwrite: bool = False,
    tidy: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Go on with a job, to another length if one is given; return where its film is.

    A longer film replaces the job's own shorter one, once it is whole. With `out`, the film goes
    there instead. A job that has moved goes on where it lies, see `moving`; `source` is where its
    input film is now.
    """
    must_be_whole(job.folder, job.manifest.source)
    progress = progress or Silence()
    job = at_home(job, progress.say, source)
    manifest = job.manifest
    settings = manifest.settings
    if isinstance(frames, Duration):
        frames = frames.frames(settings.film.rate)
    if frames and frames != settings.film.length and kind_of(manifest.kind).length_is_fixed:
        raise SettingsError(
            f"frames: got {frames}, the {manifest.kind} was begun with {settings.film.length}; "
            "begin another"
        )
    if frames:
        settings = settings.changed("film", frames=frames)
        job.must_fit(replace(manifest, settings=settings))
    if min_free is not None:
        settings = settings.changed("machine", min_free=min_free)
    bytes_from(settings.machine.min_free, "machine.min_free")
    out = out or manifest.out
    there, wanted = frames_of_job(out, manifest) or 0, settings.film.length
    # A job that was made longer has a film that is longer than its manifest says.
    if not overwrite and (there == wanted or (not frames and there > wanted)):
        progress.say(f"nothing left to do: the film of {there} frames is there")
        return out
    made = Run(job, out, settings, overwrite, progress).finish()
    if tidy:
        with job.locked():
            job.remove()
    return made


def encode(
    job: Job,
    out: Path | None = None,
    *,
    options: Tree | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Encode a job's finished frames, again or in another format; return where the film is.

    The job's own encoder options hold where the format is the same. A film of fewer frames than
    the job is to have never takes the name of the whole one.
    """
    must_be_whole(job.folder, job.manifest.source)
    progress = progress or Silence()
    job = at_home(job, progress.say)
    manifest = job.manifest
    out = out or manifest.out
    encoders.check_output(out, overwrite)
    same = encoders.encoder_for(out) == encoders.encoder_for(manifest.out)
    chosen = {**(manifest.settings.encode if same else {}), **(options or {})}
    encoders.encoding_for(out, chosen)
    with stoppable(job.folder, "the same command again"), job.locked():
        done = job.finished()
        which, total = kind_of(manifest.kind).encodable(done, manifest.settings.film.length)
        if not done or (done < total and out.absolute() == manifest.out):
            raise ResumeError(
                f"{job.folder}: {done} of {total} frames are finished; "
                "`dreamvid resume` it first, or encode to another name with -o"
            )
        if done < total:
            progress.say(f"{done} of {total} frames are finished and encoded")
        settings = replace(manifest.settings, encode=chosen)
        return Run(job, out, settings, overwrite, progress).encode(which)
