"""A job that has moved: where its film goes now, and its inputs found again by their hashes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from dreamvid import media
from dreamvid.dream.spaces import moved_files as moved_spaces
from dreamvid.dream.turbo.adding import TURBO, moved_turbo
from dreamvid.errors import MediaError, ResumeError, SettingsError
from dreamvid.jobs.folder import Job, Manifest
from dreamvid.jobs.music import moved_files
from dreamvid.jobs.provenance import load_plugins
from dreamvid.jobs.unchanged import known_hash
from dreamvid.networks import moved_weights
from dreamvid.objectives import moved_pictures
from dreamvid.settings import plugin_loading

Say = Callable[[str], None]


def at_home(job: Job, say: Say, source: Path | None = None, places: Iterable[Path] = ()) -> Job:
    """`job` as it is to be gone on with where it lies now, its plugins loaded.

    What the job names by a path is taken from there. If the job has moved or nothing is there, a
    file with the same content is looked for beside the job, beside its film and in `places`.

    Args:
        job: As it was opened; its manifest on disk stays as it is.
        say: Takes a line for each file that is taken from another place.
        source: The input film, where the user says where it is.
        places: Other folders in which its files may lie.

    Raises:
        ResumeError: `source` is another film, or a plugin cannot be found.
        SettingsError: The job reads no film.
    """
    manifest = job.manifest
    folder = job.folder.absolute()
    out = _out_of(manifest, folder)
    find = _Finder((folder.parent, out.parent, folder, *places), _has_moved(manifest, folder), say)
    plugins_told = manifest.plugins
    plugins = {_of_plugin(name, told, find): told for name, told in plugins_told.items()}
    chosen = [_of_plugin(name, plugins_told.get(name), find) for name in manifest.settings.plugins]
    settings = replace(manifest.settings, plugins=tuple(chosen))
    load_plugins(manifest := replace(manifest, out=out, plugins=plugins, settings=settings))
    known = dict(manifest.source)
    if "first" in known:
        known["path"] = str(_given(source, known) or find(Path(known["path"]), known["sha256"]))
    elif source is not None:
        raise SettingsError(f"--source: a {manifest.kind} has all it needs in its folder; leave it")
    if settings.video.mask:
        settings = settings.changed("video", mask=find(settings.video.mask, known["mask_sha256"]))
    if "depth_sha256" in known:
        camera = settings.motion["camera"]
        depth = find(Path(camera["depth"]), known["depth_sha256"])
        settings = replace(settings, motion={"camera": {**camera, "depth": str(depth)}})
    settings = moved_files(settings, known, find)
    pictures, whole = manifest.pictures, manifest.weights_sha256
    if "," not in settings.network.name:  # of several networks, the hash is that of all together
        weights = moved_weights(settings.network, lambda path: find(path, whole))
        settings = settings.changed("network", weights=weights)
    objective = moved_pictures(
        settings.objective, lambda where, path: find(path, pictures.get(where, ""))
    )
    space = moved_spaces(settings.space, lambda where, path: find(path, pictures.get(where, "")))
    settings = replace(settings, objective=objective, space=space)
    settings = moved_turbo(settings, lambda path: find(path, pictures.get(TURBO, "")))
    moved = Job(job.folder, replace(manifest, source=known, settings=settings))
    moved.needs = () if source is None else ("--source", str(source))
    return moved


def with_inputs_of(job: Job, asked: Manifest) -> Job:
    """`job` with the paths of a manifest that fits it: its inputs may have moved."""
    mask = asked.settings.video.mask
    settings = job.manifest.settings.changed("video", mask=mask)
    settings = settings.changed("audio", files=asked.settings.audio.files)
    return Job(job.folder, replace(job.manifest, source=asked.source, settings=settings))


def _out_of(manifest: Manifest, folder: Path) -> Path:
    """Where the film of a job goes, whose folder is there now."""
    out, begun = manifest.out, manifest.begun_in
    if not _has_moved(manifest, folder):
        return out
    beside = begun is None or begun.parent == out.parent
    if out.parent == folder.parent or (not beside and out.parent.is_dir()):
        return out
    return folder.parent / out.name


def _has_moved(manifest: Manifest, folder: Path) -> bool:
    """Whether a job lies elsewhere than where it was begun, however that place is written."""
    out, begun = manifest.out, manifest.begun_in
    if begun is None:
        # Older jobs do not tell: a folder that is called after its film was made beside it.
        begun = out.parent / folder.name
        if not Job.is_called_after(folder, out) and out.parent.is_dir():
            return False
    return not (begun.exists() and begun.samefile(folder))


class _Finder:
    """Finds files by their hashes; remembers what it has found."""

    def __init__(self, folders: tuple[Path, ...], moved: bool, say: Say) -> None:
        self.folders, self.moved, self.say = dict.fromkeys(folders), moved, say
        self.found: dict[tuple[Path, str], Path] = {}

    def __call__(self, path: Path, sha256: str) -> Path:
        """Where a file is now; `path` itself where nothing has its hash."""
        there = path.exists() or media.is_sequence(path)
        if there and not (self.moved and _hash_of(path) != sha256):
            return path
        if (path, sha256) not in self.found:
            same = (each for each in self._near(path) if _hash_of(each) == sha256)
            here = self.found[path, sha256] = next(same, path)
            if here != path:
                self.say(f"{path.name}: taken from {here}, which has the same content")
        return self.found[path, sha256]

    def _near(self, path: Path) -> Iterator[Path]:
        """The files that may be it, or the sequences of its name, the likeliest first."""
        suffix = path.suffix.lower()
        yield from (folder / path.name for folder in self.folders)
        files = [each for folder in self.folders for each in _files_in(folder)]
        yield from sorted(
            files, key=lambda each: (each.name != path.name, each.suffix.lower() != suffix)
        )


def _files_in(folder: Path) -> list[Path]:
    try:
        return sorted(each for each in folder.iterdir() if each.is_file())
    except OSError:
        return []


def _hash_of(path: Path) -> str | None:
    try:
        return known_hash(path)
    except (OSError, MediaError):
        return None


def _given(source: Path | None, known: Mapping[str, str]) -> Path | None:
    if source is not None and media.content_hash(source) != known["sha256"]:
        raise ResumeError(
            f"--source {source}: is not the film the job began with (SHA-256 "
            f"{known['sha256'][:12]}…, {Path(known['path']).name}); give that one"
        )
    return source and source.absolute()


def _of_plugin(name: str, sha256: str | None, find: _Finder) -> str:
    if sha256 is None or name.startswith(plugin_loading.INSTALLED):
        return name
    return str(find(Path(name), sha256))
