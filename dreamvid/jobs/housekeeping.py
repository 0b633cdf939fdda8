"""The jobs of a folder: how far each is, how large, and which are no longer needed."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dreamvid import media
from dreamvid.errors import MediaError, ResumeError, SettingsError
from dreamvid.jobs.disk import told
from dreamvid.jobs.folder import Job
from dreamvid.jobs.provenance import frames_of_job, told_of
from dreamvid.settings import Settings


class Found(NamedTuple):
    """A job that lies in a folder."""

    job: Job
    frames: int
    """That are written, by their names and the journal."""
    bytes: int
    whole: bool
    """Whether its film is there, as long as it was to be."""

    def __str__(self) -> str:
        manifest = self.job.manifest
        state = "film is whole" if self.whole else "not finished"
        return (
            f"{self.job.folder}: {manifest.kind}, {self.frames} frames made, film of "
            f"{manifest.settings.film.length}, {told(self.bytes)}, {state}"
        )


def jobs_in(folder: Path) -> Iterator[Found]:
    """The jobs directly in a folder, or the one that the folder itself is."""
    if not folder.is_dir():
        what = "is a file, expected a folder" if folder.exists() else "there is no such folder"
        raise ResumeError(f"{folder}: {what}; name the one in which jobs lie")
    places = [folder] if (folder / "job.json").exists() else sorted(folder.iterdir())
    for place in places:
        if not (place / "job.json").is_file():
            continue
        try:
            job = Job.open(place)
        except ResumeError:
            # Of another program, or damaged: none of ours to judge.
            continue
        written = [index for index in job.journal.entries() if job.frame_path(index).is_file()]
        size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
        frames = frames_of_job(job.manifest.out, job.manifest)
        whole = frames is not None and frames >= job.manifest.settings.film.length
        yield Found(job, len(written), size, whole)


def cleaned(folder: Path, may: Callable[[str], bool]) -> Iterator[str]:
    """Remove the jobs in `folder` whose films are whole, each if `may` says so; what was done."""
    finished = [found for found in jobs_in(folder) if found.whole]
    if not finished:
        yield f"{folder}: no job whose film is whole"
    for found in finished:
        if may(f"{found}; remove the job and keep the film?"):
            with found.job.locked():
                found.job.remove()
            yield f"{found.job.folder}: removed, {told(found.bytes)} freed"


def information(path: Path) -> Iterator[str]:
    """What a film, a picture or a job says of how it was made, line by line."""
    if path.is_dir() and (path / "job.json").exists():
        manifest = Job.open(path).manifest
        kind, settings = manifest.kind, manifest.settings
        seed, version = manifest.source.get("path") or "", manifest.machine.get("dreamvid", "")
    elif not path.exists():
        raise MediaError(f"{path}: no such file; check the name and the folder")
    else:
        try:
            kind, settings, version = told_of(media.read_metadata(path))
        except (MediaError, ValueError, KeyError, TypeError, AttributeError, SettingsError):
            raise SettingsError(
                f"{path}: holds no dreamvid settings; expected a film, a picture or a job"
            ) from None
        seed = {"video": "INPUT", "loop": "[SEED]"}.get(kind, "SEED")
    film = settings.film
    yield f"{path}: {kind} by dreamvid {version}"
    if kind != "image":
        yield f"{film.length} frames of {film.size}, {float(film.rate):g} a second"
    for name, value in differing(settings):
        yield f"  {name} = {value!r}"
    yield f"made again: dreamvid {kind} {seed} --config {path}".replace("  ", " ")


def differing(settings: Settings) -> Iterator[tuple[str, Any]]:
    """The settings that are not their defaults, by dotted name."""
    usual = Settings().tree()
    for section, values in settings.tree().items():
        for key, value in values.items() if isinstance(values, dict) else ():
            known = usual.get(section, {})
            if key not in known or known[key] != value:
                yield f"{section}.{key}", value
