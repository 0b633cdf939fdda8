"""Films planned: each its own unit, or, over an input, a unit for each of its parts."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dreamvid.errors import MediaError
from dreamvid.farm.parts import Cutting, parts_of
from dreamvid.farm.plans import SILENCE, Plan, Unit, begun, numbered, saved
from dreamvid.jobs import films, naming
from dreamvid.jobs.folder import Job, Manifest
from dreamvid.jobs.making import Request
from dreamvid.jobs.progress import Progress, Silence
from dreamvid.jobs.shots import SHOT, told
from dreamvid.media import encoders
from dreamvid.settings import Settings

JOIN = "film"


def plan_video(
    source: Path,
    out: Path,
    settings: Settings,
    *,
    result: str | None = None,
    how: Cutting | None = None,
    silence: float = SILENCE,
    command: str = "",
    progress: Progress | None = None,
) -> Plan:
    """Plan a film over an input in the folder `out`: its parts, and then their joining.

    Args:
        source: the input.
        out: the folder, which is made.
        settings: as for `films.video`.
        result: the name of the film in ``results/``; none: after the source.
        how: how it is cut.
        silence: seconds after which a silent worker has lost its unit.
        command: the command line, for people.
        progress: who is told.
    """
    progress = progress or Silence()
    with begun(out) as folder:
        units: list[Unit] = []

        def make(asked: Request) -> Path:
            parts = parts_of(asked, how or Cutting(), progress.say)
            manifest = checked_manifest(asked)
            for number, part in enumerate(parts, 1):
                name = numbered("shot", number)
                shot = {**manifest.source, SHOT: told(range(part.begin, part.end))}
                facts = {"folder": f"units/{name}", **part._asdict()}
                create(folder / "units" / name, replace(manifest, source=shot))
                units.append(Unit(name, "shot", part.end - part.begin, (), facts))
            create(asked.folder, manifest)
            needs = tuple(unit.name for unit in units)
            facts = {"folder": f"units/{JOIN}", "result": asked.out.name}
            units.append(Unit(JOIN, "join", 0, needs, facts))
            return asked.out

        target = folder / "results" / (result or naming.usual_name(source, "video").name)
        films.video(
            source,
            target,
            settings,
            job=folder / "units" / JOIN,
            progress=progress,
            make=make,
        )
        mask = settings.video.mask
        return saved(folder, command, units, [source, *([mask] if mask else [])], silence)


def plan_films(
    kind: str,
    seeds: Sequence[Path | None],
    out: Path,
    settings: Settings,
    *,
    at: int | str | None = None,
    result: str | None = None,
    silence: float = SILENCE,
    command: str = "",
    progress: Progress | None = None,
) -> Plan:
    """Plan a zoom or a loop of each seed, a unit each: in itself such a film is sequential.

    `result` is the name of the films in ``results/``, numbered where there are several seeds.
    """
    with begun(out) as folder:
        units = []
        names = _names(kind, seeds, result)
        for number, (seed, name) in enumerate(zip(seeds, names, strict=True), 1):
            unit = numbered(kind, number)
            job = folder / "units" / unit
            units.append(
                planned_film(kind, seed, folder, job, name, settings, progress or Silence(), at=at)
            )
        inputs = [seed for seed in seeds if seed is not None]
        mask = settings.video.mask
        return saved(folder, command, units, [*inputs, *([mask] if mask else [])], silence)


def planned_film(
    kind: str,
    seed: Path | None,
    folder: Path,
    job: Path,
    result: str,
    settings: Settings,
    progress: Progress,
    **options: int | str | None,
) -> Unit:
    """The unit that makes one whole film; its job folder is made at `job`."""
    frames = []

    def make(asked: Request) -> Path:
        create(asked.folder, checked_manifest(asked), asked)
        frames.append(asked.settings.film.length)
        return asked.out

    films_by_kind = {"zoom": films.zoom, "loop": films.loop, "video": films.video}
    given = {name: value for name, value in options.items() if value is not None}
    target = folder / "results" / result
    films_by_kind[kind](seed, target, settings, job=job, progress=progress, make=make, **given)  # pyright: ignore
    # A loop dreams two turns at least.
    count = frames[0] * (2 if kind == "loop" else 1)
    facts = {"folder": str(job.relative_to(folder)), "result": result}
    return Unit(job.name, "whole", count, (), facts)


def checked_manifest(asked: Request) -> Manifest:
    """The manifest of a film that can be encoded as it is asked for."""
    film = asked.settings.film
    encoding = encoders.encoding_for(asked.out, asked.settings.encode)
    encoders.check_fit(asked.out, encoding, film.pixels, film.rate)
    if encoders.is_pipe(asked.out):
        raise MediaError(f"{asked.out}: a plan writes no pipe; name a film with --result")
    return asked.manifest()


def create(folder: Path, manifest: Manifest, asked: Request | None = None) -> Job:
    """A job folder in a plan."""
    folder.mkdir()
    start = asked.start if asked else None
    return Job.create(folder, replace(manifest, begun_in=folder.absolute()), start)


def _names(kind: str, seeds: Sequence[Path | None], result: str | None) -> list[str]:
    """The names of the films of seeds, all different."""
    names: list[str] = []
    for seed in seeds:
        number = 1
        while (name := _name(kind, seed, result, number)) in names:
            number += 1
        names.append(name)
    return names


def _name(kind: str, seed: Path | None, result: str | None, number: int) -> str:
    if result is None:
        return naming.usual_name(seed, kind, number).name
    path = Path(result)
    return path.name if number == 1 else f"{path.stem}-{number}{path.suffix}"
