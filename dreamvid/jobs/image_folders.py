"""A folder of pictures, dreamed one by one or several of a size together.

::

    photos-dream/
      a.jpg  b.png        the dreams, under the pictures' own names
      .dreamvid/
        settings.json     what they are made with
        journal.jsonl     a line for each that is whole: its hash, and that of its picture
        lock              held by the one run that works here
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dreamvid import media
from dreamvid.dream.dreamer import Dreamer, dreamer_for
from dreamvid.dream.fitting import with_fitting_octaves
from dreamvid.dream.report import Noted
from dreamvid.dream.spaces import moved_files
from dreamvid.dream.timeline import check_schedules
from dreamvid.dream.turbo.adding import absolute_turbo
from dreamvid.errors import MediaError, ResumeError, SettingsError
from dreamvid.film.finishing import check_picture_mask, finished_picture
from dreamvid.frames import Frame, Size, fitted, size_of
from dreamvid.jobs import logs
from dreamvid.jobs.batches import Wanted, batches
from dreamvid.jobs.journal import Journal
from dreamvid.jobs.progress import Progress, Silence
from dreamvid.jobs.provenance import described
from dreamvid.jobs.stopping import stoppable
from dreamvid.machine.hashing import input_hash
from dreamvid.media.locking import locked
from dreamvid.networks import absolute_weights
from dreamvid.networks.base import Network
from dreamvid.objectives import absolute
from dreamvid.settings import Settings, changes, settled
from dreamvid.settings.plugin_loading import recorded
from dreamvid.sizes import parsed_size

STATE = ".dreamvid"
NAMED = 5
"""So many bad files are named in the last line; each was named when it was met."""


def image_folder(
    source: Path,
    out: Path,
    settings: Settings,
    *,
    batch: int = 0,
    log: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Dream every picture in a folder, and return where the dreams are.

    What is there already, whole and made with these settings, is left as it is.

    Args:
        source: the folder; not its subfolders.
        out: the folder of the dreams, made where it is not there.
        settings: those of every picture; each keeps its size unless one is asked for.
        batch: how many pictures of one size are dreamed together; 0 is what suits the device.
        log: whether to write the objective at every step beside `out`; see `logs`.
        overwrite: whether dreams made with other settings may be replaced.
        progress: who is told.

    Raises:
        MediaError: there are no pictures; or, once all others are dreamed, some were bad.
        ResumeError: `out` was made with other settings.
    """
    progress = progress or Silence()
    paths = pictures_in(source, progress.say)
    _check_place(source, out, overwrite)
    if log:
        logs.check_log(out, overwrite=True)
    settings = settled_pictures(settings)
    dreamer = dreamer_for(settings)
    work = Work(out, settings, dreamer, batch, log, progress)
    with media.storage_checked(out):
        (out / STATE).mkdir(parents=True, exist_ok=True)
    with stoppable(out, "the same command again"), locked(out / STATE):
        work.begin(overwrite)
        names = names_of(paths, settings)
        lacking = [
            (name, path) for name, path in names.items() if overwrite or not work.has(name, path)
        ]
        progress.begin(len(names) - len(lacking), len(names))
        work.dream(lacking, len(names) - len(lacking))
        if log:
            work.write_log(names)
    if work.bad:
        told = "; ".join(work.bad[:NAMED]) + ("; …" if len(work.bad) > NAMED else "")
        raise MediaError(f"{len(work.bad)} of {len(names)} pictures left out: {told}")
    return out


def settled_pictures(settings: Settings) -> Settings:
    """Settings in which nothing is left to the place where a command was given.

    Raises:
        SettingsError: a value is not allowed.
    """
    check_schedules(settings)
    check_picture_mask(settings)
    settings = settings.changed("network", weights=absolute_weights(settings.network))
    space = moved_files(settings.space, lambda where, path: path.absolute())
    return absolute_turbo(replace(settings, objective=absolute(settings.objective), space=space))


class Work:
    """One run over a folder: what is there, what is bad, what was dreamed."""

    def __init__(
        self,
        out: Path,
        settings: Settings,
        dreamer: Dreamer,
        batch: int,
        log: bool,
        progress: Progress,
    ) -> None:
        self.out, self.settings, self.dreamer = out, settings, dreamer
        self.batch, self.log, self.progress = batch, log, progress
        self.by_size: dict[Size, Dreamer] = {}
        self.bad: list[str] = []
        self.entries: dict[str, dict[str, Any]] = {}
        self.journal = Journal(out / STATE / "journal.jsonl", "name", str)
        self.comment = described("image", settings)
        """What each dream says of how it was made."""

    def begin(self, overwrite: bool) -> None:
        """Read what was done before, or begin anew."""
        manifest = self.out / STATE / "settings.json"
        told = {
            "weights_sha256": self.dreamer.network.weights_sha256 or "",
            "pictures": self.dreamer.files,
            "plugins": recorded(self.settings.plugins, self.settings.tree(), self.out),
            **(
                {"mask_sha256": media.content_hash(mask)}
                if (mask := self.settings.video.mask)
                else {}
            ),
            "settings": self.settings.tree(),
        }
        if manifest.exists() and not overwrite:
            _must_fit(self.out, manifest, told, self.dreamer.network)
            self.entries = self.journal.entries()
            self.journal.keep(self.entries.values())
            return
        self.journal.clear()
        with media.atomic_write(manifest) as part:
            part.write_text(json.dumps(told, indent=1))

    def has(self, name: str, path: Path) -> bool:
        """Whether the dream of a picture is there and whole."""
        entry, target = self.entries.get(name), self.out / name
        return (
            entry is not None
            and target.is_file()
            and input_hash(target) == entry.get("sha256")
            and input_hash(path) == entry.get("source")
        )

    def dream(self, lacking: Sequence[tuple[str, Path]], done: int) -> None:
        """Dream the pictures that are lacking, those of one size together."""
        for wanted, frames in batches(self._read(lacking), self._together):
            # The first key of a film: what each would be dreamed with alone.
            key = (self.settings.film.seed, 0)
            stack = torch.stack(frames).to(self.dreamer.network.device)
            dreamer = self._dreamer(size_of(stack))
            dreams = dreamer.batch(stack, key)
            report = dreamer.report
            if report.skipped:
                self.progress.say(
                    f"{', '.join(each.name for each in wanted)}: {report.skipped} of "
                    f"{report.skipped + report.steps} steps skipped, gradient not finite"
                )
            for number, (each, dream) in enumerate(zip(wanted, dreams.cpu(), strict=True)):
                dream = finished_picture(self.settings, frames[number], dream)
                noted = report.noted(number) if self.log else None
                self._write(each, dream, noted, report.opacity(number))
                self.progress.frame(done, {})
                done += 1

    def write_log(self, names: dict[str, Path]) -> None:
        """Write the log of all dreams that have one."""
        noted = {
            name: [Noted(p, o, Size(*size), step, gain) for p, o, size, step, gain in steps]
            for name in names
            if (steps := self.entries.get(name, {}).get("steps"))
        }
        if lacking := len(names) - len(noted) - len(self.bad):
            self.progress.say(f"{lacking} pictures were dreamed without --log and are not in it")
        logs.write_log(noted, self.out)

    def _read(self, lacking: Sequence[tuple[str, Path]]) -> Iterator[tuple[Wanted, Frame]]:
        film = self.settings.film
        for name, path in lacking:
            try:
                background = media.colour_of(self.settings.picture.background)
                picture = media.read_picture(path, background=background, say=self.progress.say)
                seed = size_of(picture)
                if film.size:
                    size = parsed_size(film.size, seed)
                    picture = fitted(picture, size, film.fit, film.padding)
                self._dreamer(size_of(picture), seed)
                yield Wanted(name, path, input_hash(path)), picture
            except (MediaError, SettingsError) as error:
                text = str(error)
                text = text if text.startswith(str(path)) else f"{path}: {text}"
                self.bad.append(text)
                self.progress.say(f"left out: {text}")

    def _write(
        self, wanted: Wanted, dream: Frame, steps: list[Noted] | None, alpha: np.ndarray | None
    ) -> None:
        target = self.out / wanted.name
        if self.settings.picture.keep_alpha:
            alpha = media.read_alpha(wanted.path, size_of(dream))
        words = {"comment": self.comment}
        media.write_picture(dream, target, self.settings.film.depth, words, alpha)
        told: dict[str, Any] = {"sha256": input_hash(target), "source": wanted.sha256}
        if steps is not None:
            told["steps"] = [(*step[:4], float(f"{step.gain:.6g}")) for step in steps]
        entry = self.entries[wanted.name] = {"name": wanted.name, **told}
        self.journal.add(entry)

    def _dreamer(self, size: Size, seed: Size | None = None) -> Dreamer:
        """What dreams pictures of that size, with as many octaves as fit."""
        if size not in self.by_size:
            self.by_size[size] = with_fitting_octaves(self.dreamer, size, seed, self.progress.say)
        elif seed:
            self.by_size[size].check(size, seed)
        return self.by_size[size]

    def _together(self, size: Size) -> int:
        return self.batch or self.dreamer.together(size)


def pictures_in(folder: Path, say: Callable[[str], None]) -> list[Path]:
    """The pictures in a folder, by what is in the files and not by their names."""
    try:
        files = sorted(
            path for path in folder.iterdir() if not path.name.startswith(".") and path.is_file()
        )
    except OSError as error:
        raise MediaError(f"{folder}: cannot be read ({error.strerror})") from None
    found = [path for path in files if media.is_picture(path)]
    skipped = [path.name for path in files if path not in set(found)]
    if not found:
        raise MediaError(f"{folder}: holds no pictures; name a folder of JPEG, PNG or others")
    if skipped:
        named = ", ".join(skipped[:NAMED]) + (", …" if len(skipped) > NAMED else "")
        say(f"{folder.name}: {len(skipped)} files are no pictures and are skipped: {named}")
    return found


def names_of(paths: Sequence[Path], settings: Settings) -> dict[str, Path]:
    """Pictures by what their dreams are called: their own name, or PNGs where that cannot be."""
    depth = settings.film.depth
    alpha = settings.picture.keep_alpha or settings.space.get("alpha")

    def keeps(path: Path) -> bool:
        kind = media.WRITE_FORMATS.get(path.suffix.lower())
        return kind == "PNG" or (depth == 8 and kind is not None and not (alpha and kind == "JPEG"))

    names: dict[str, Path] = {}
    for path in sorted(paths, key=lambda path: not keeps(path)):
        name = path.name if keeps(path) else f"{path.name}.png"
        while name in names:
            name = f"_{name}"
        names[name] = path
    return dict(sorted(names.items()))


def _check_place(source: Path, out: Path, overwrite: bool) -> None:
    """Raise `MediaError` where the dreams cannot lie at `out`."""
    if out.exists() and out.samefile(source):
        raise MediaError(f"{out}: is the input itself; choose another name for the result")
    if out.exists() and not out.is_dir():
        raise MediaError(f"{out}: is a file; choose another name for the folder of dreams")
    if not out.absolute().parent.is_dir():
        raise MediaError(f"{out}: there is no folder {out.absolute().parent}; make it first")
    strange = out.is_dir() and not (out / STATE).is_dir() and any(out.iterdir())
    if strange and not overwrite:
        raise MediaError(
            f"{out}: exists already and holds other files; give --overwrite, or choose another name"
        )


def _must_fit(out: Path, manifest: Path, told: dict[str, Any], net: Network) -> None:
    """Raise `ResumeError` where the dreams in `out` were made with anything else."""
    try:
        old = json.loads(manifest.read_text("utf-8"))
        found = changes(settled(old["settings"]), settled(told["settings"]))
        found += ["other weights"] * (not net.dreams_like(old["weights_sha256"]))
        found += ["other pictures"] * (old["pictures"] != told["pictures"])
        if sorted(old.get("plugins", {}).values()) != sorted(told["plugins"].values()):
            found.append("other plugins")
        found += ["another mask"] * (old.get("mask_sha256") != told.get("mask_sha256"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SettingsError) as error:
        raise ResumeError(
            f"{manifest}: cannot be read ({error}); start anew with --overwrite"
        ) from None
    if found:
        raise ResumeError(
            f"{out}: made with other settings ({'; '.join(found)}); "
            "choose another folder with -o, or start anew with --overwrite"
        )
