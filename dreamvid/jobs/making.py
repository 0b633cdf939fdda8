"""A film that is asked for becomes a job, or goes on with the one that was begun."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from dreamvid.dream.dreamer import Dreamer
from dreamvid.errors import MediaError
from dreamvid.frames import Frame
from dreamvid.jobs import previews
from dreamvid.jobs.folder import Job, Manifest
from dreamvid.jobs.moving import with_inputs_of
from dreamvid.jobs.naming import job_folder
from dreamvid.jobs.progress import Progress, Silence
from dreamvid.jobs.provenance import this_machine
from dreamvid.jobs.runs import Run
from dreamvid.jobs.stopping import stoppable
from dreamvid.media import encoders
from dreamvid.media.locking import locked
from dreamvid.settings import Settings
from dreamvid.settings.plugin_loading import recorded


@dataclass(frozen=True, kw_only=True)
class Request:
    """A film that is asked for; all that can be wrong with it has been looked for."""

    kind: str
    out: Path
    settings: Settings
    """In which nothing is left to the input: size, rate and length are settled."""
    dreamer: Dreamer
    source: Mapping[str, str]
    """Of the manifest: path and SHA-256 of the input."""
    start: Frame | None = None
    """The picture that the film begins with, where it is none of an input film's."""
    job: Path | None = None
    """Its folder; None: beside the film."""
    overwrite: bool = False
    preview: str = ""
    """The kind of preview that comes first, see `previews`."""
    tidy: bool = False
    """Whether the job is removed once its film is whole."""
    progress: Progress = field(default_factory=Silence)

    @property
    def folder(self) -> Path:
        """Where the job is."""
        seed = Path(self.source["path"]) if self.source["path"] else None
        return job_folder(self.job, self.out, seed, self.kind)

    def manifest(self) -> Manifest:
        """What its job records."""
        return Manifest(
            kind=self.kind,
            settings=self.settings,
            out=self.out.absolute(),
            source=self.source,
            weights_sha256=self.dreamer.network.weights_sha256 or "",
            machine=this_machine(self.dreamer.network),
            pictures=self.dreamer.files,
            plugins=recorded(self.settings.plugins, self.settings.tree(), self.out),
            begun_in=self.folder.absolute(),
        )


def made(asked: Request) -> Path:
    """The film of a new job, or of one that was begun and fits; or only a preview of it."""
    encoding = encoders.encoding_for(asked.out, asked.settings.encode)
    film = asked.settings.film
    encoders.check_fit(asked.out, encoding, film.pixels, film.rate)
    folder, manifest, overwrite = asked.folder, asked.manifest(), asked.overwrite
    if asked.preview and asked.start is not None:
        shown = previews.made(
            asked.preview,
            asked.start,
            replace(manifest, out=asked.out),
            asked.dreamer,
            overwrite,
            asked.progress,
        )
        if asked.preview != previews.BOTH or not asked.progress.ask("go on to the film?"):
            return shown[-1]
    seed = Path(asked.source["path"]) if asked.source["path"] else None
    Job.claim(folder, seed, asked.out)
    # Held from its making on: another run that begins it anew would change it under this one.
    with stoppable(folder, "the same command again"), locked(folder):
        if (folder / "job.json").exists() and not overwrite:
            job = Job.open(folder)
            job.must_fit(manifest)
            job = with_inputs_of(job, manifest)
        else:
            job = Job.create(folder, manifest, asked.start)
        run = Run(job, asked.out, asked.settings, overwrite, asked.progress, asked.dreamer)
        try:
            made = run.finish_locked()
            if asked.tidy:
                job.remove()
            return made
        except MediaError:
            # An input that gives not one frame leaves no job either.
            if not any(job.frames.glob("*")):
                shutil.rmtree(folder)
            raise
