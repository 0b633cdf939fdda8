"""A list of films that are made in turn: ``dreamvid run jobs.toml``.

::

    [[job]]
    command = "zoom"
    seed = "seed.jpg"       # the argument SEED, or INPUT of a video
    preset = "gentle"       # and every flag of the command by its name
    frames = 300
    set = ["ascent.later=3"]

A number for randomness is ``--seed = 7``: leading dashes may be written, and here they must be.
Paths are seen from the folder of the list. What is finished stays, what was begun is gone on with.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dreamvid.errors import DreamvidError, MediaError, ResumeError, SettingsError
from dreamvid.flags import flags_of
from dreamvid.jobs import films, naming
from dreamvid.jobs.configs import read_toml
from dreamvid.jobs.folder import Job
from dreamvid.jobs.making import Request, made
from dreamvid.jobs.progress import Progress, Silence
from dreamvid.jobs.provenance import frames_of_job
from dreamvid.registry import did_you_mean
from dreamvid.settings import Settings, assigned, flagged, laid_over, must_take_effect

ARGUMENTS = {"zoom": "seed", "loop": "seed", "video": "input"}
"""What the argument of each command is called."""
UNTAKEN = {
    "preview": "nobody can be asked",
    "overwrite": "a list replaces nothing; remove the film or name another",
    "quiet": "it is given to `dreamvid run`",
}
"""Flags that a list does not take, and why."""
TEXTS = ("out", "job", "preset", "config")


class QueueError(DreamvidError):
    """Some films of a list could not be made."""

    exit_status = 1


@dataclass(frozen=True)
class Entry:
    """A film of a list."""

    number: int
    command: str
    source: Path | None
    out: Path
    settings: Settings
    options: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"job {self.number} ({self.command}, {self.out})"

    def made(self, make: films.Make = made, progress: Progress | None = None, **more: Any) -> Path:
        """Make it, or what `make` makes of it."""
        function: Any = getattr(films, self.command)
        options = {**self.options, **more, "make": make, "progress": progress}
        return function(self.source, self.out, self.settings, **options)

    def is_finished(self) -> bool:
        """Whether the film is there, just as it is asked for.

        Raises:
            DreamvidError: it cannot be made, or something else lies in its place.
        """
        found: list[bool] = []

        def look(asked: Request) -> Path:
            found.append(_is_finished(asked))
            return asked.out

        # What is there already is judged by `_is_finished`.
        self.made(look, Silence(), overwrite=True)
        return found[0]


def _is_finished(asked: Request) -> bool:
    manifest, folder = asked.manifest(), asked.folder
    if (folder / "job.json").exists():
        try:
            Job.open(folder).must_fit(manifest)
        except ResumeError as error:
            reason = str(error).rpartition(";")[0]
            raise ResumeError(f"{reason}; name another with out, or remove the job") from None
    if not asked.out.exists():
        return False
    if frames_of_job(asked.out, manifest) != asked.settings.film.length:
        raise MediaError(
            f"{asked.out}: exists already and is another film; remove it or name another with out"
        )
    return True


def read_queue(path: Path) -> list[dict[str, Any]]:
    """The jobs in a list as they are written, or a `SettingsError`."""
    tree = read_toml(path, "jobs")
    jobs = tree.get("job")
    if not isinstance(jobs, list) or not all(isinstance(each, dict) for each in jobs) or not jobs:
        raise SettingsError(f"{path}: has no jobs; expected a table [[job]] for each film")
    if others := tree.keys() - {"job"}:
        raise SettingsError(f"{path}: {min(others)}: stands in no [[job]]; move it into one")
    return jobs


def entries(jobs: list[dict[str, Any]]) -> tuple[list[Entry], list[str]]:
    """The films of a list, and a line for each thing that is wrong in it."""
    found, faults, taken = [], [], {}
    for number, job in enumerate(jobs, 1):
        try:
            told = told_of(job)
            faults += [f"job {number}: {fault}" for fault in unknown_in(told, job)]
            entry = entry_of(number, told, taken)
        except DreamvidError as error:
            faults.append(f"job {number}: {error}")
            continue
        if entry.out in taken:
            faults.append(f"{entry}: job {taken[entry.out]} makes {entry.out} too; name another")
        taken[entry.out] = number
        found.append(entry)
    return found, faults


def checked(found: list[Entry], say: Callable[[str], None]) -> list[str]:
    """A line for each film that cannot be made. `say` is told of those that are finished.

    What is made of an earlier film of the list can be looked at only once that is there.
    """
    faults, comes = [], set()
    for entry in found:
        comes.add(entry.out)
        if entry.source and entry.source in comes and not entry.source.exists():
            continue
        try:
            if entry.is_finished():
                say(f"{entry}: is there already")
        except DreamvidError as error:
            faults.append(f"{entry}: {error}")
    return faults


@dataclass(frozen=True)
class Told:
    """A job with its keys as the names of flags."""

    command: str
    called: str
    """What its argument is called."""
    argument: Any
    flags: dict[str, Any]
    unknown: list[str]


def told_of(job: Mapping[str, Any], arguments: Mapping[str, str] = ARGUMENTS) -> Told:
    """A job as it is written, by the names of flags; `arguments` are those of its commands.

    Raises:
        SettingsError: there is no such command.
    """
    command = job.get("command")
    if not isinstance(command, str) or command not in arguments:
        expected = f"expected {', '.join(arguments)}{did_you_mean(str(command), arguments)}"
        raise SettingsError(f"command: got {command!r}, {expected}")
    names = {
        spelling.lstrip("-"): name
        for name, flag in flags_of(command).items()
        for spelling in (f"--{name.replace('_', '-')}", *flag.names)
    }
    flags, unknown = {}, []
    for key, value in job.items():
        name = names.get(key.lstrip("-").replace("_", "-"))
        if key in ("command", arguments[command]):
            continue
        if name is None:
            unknown.append(key)
        else:
            flags[name] = value
    return Told(command, arguments[command], job.get(arguments[command]), flags, unknown)


def unknown_in(told: Told, job: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the keys alone."""
    known = [told.called, *(name.replace("_", "-") for name in flags_of(told.command))]
    for key in told.unknown:
        yield f"{told.command}: no key {key!r}{did_you_mean(key, known)}"
    for name in told.flags.keys() & UNTAKEN:
        yield f"{name}: a list takes no such key: {UNTAKEN[name]}"


def entry_of(number: int, told: Told, taken: Mapping[Path, int]) -> Entry:
    """The film that a job asks for; its name is none of those that are `taken`.

    Raises:
        SettingsError: something is wrong with it.
    """
    command, argument = told.command, told.argument
    flags = {name: value for name, value in told.flags.items() if name not in UNTAKEN}
    called = told.called
    if argument is not None and not isinstance(argument, str):
        more = f"; for randomness write --seed = {argument!r}" if called == "seed" else ""
        raise SettingsError(f"{called}: got {argument!r}, expected a path{more}")
    if argument is None and command != "loop":
        raise SettingsError(f'{command}: needs {called} = "FILE"')
    for name in TEXTS:
        if not isinstance(flags.get(name, ""), str):
            raise SettingsError(f"{name}: got {flags[name]!r}, expected a text")
    source = None if argument is None else Path(argument)
    out = Path(flags.pop("out")) if "out" in flags else _next_name(source, command, taken)
    options = {name: flags.pop(name) for name in ("at", "tidy") if name in flags}
    if "job" in flags:
        options["job"] = Path(flags.pop("job"))
    preset = flags.pop("preset", flags_of(command)["preset"].default)
    config, chosen = flags.pop("config", None), _assigned(flags.pop("assign", []))
    must_take_effect(command, chosen)
    settings = films.settings_for(
        preset, config and Path(config), flagged(flags, command), chosen, sized=True
    )
    return Entry(number, command, source, naming.film_name(out, source, command), settings, options)


def _next_name(source: Path | None, command: str, taken: Mapping[Path, int]) -> Path:
    """The name after the source that no job before takes: the same at every run of the list."""
    number = 1
    while (name := naming.usual_name(source, command, number)) in taken:
        number += 1
    return name


def _assigned(given: Any) -> dict[str, Any]:
    """``set``: a list of texts as on the command line, or a table whose keys may be dotted."""
    if isinstance(given, Mapping):
        tree: dict[str, Any] = {}
        for key, value in given.items():
            for name in reversed(key.split(".")):
                value = {name: value}
            tree = laid_over(tree, value)
        return tree
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(each, str) for each in texts):
        raise SettingsError(f'set: got {given!r}, expected texts such as ["ascent.later=3"]')
    return assigned(texts)
