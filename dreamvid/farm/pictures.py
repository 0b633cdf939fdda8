"""Pictures of a folder as units, each a folder of dreams as `dreamvid image` makes them."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from dreamvid import media
from dreamvid.dream.dreamer import Dreamer, dreamer_for
from dreamvid.errors import DreamvidError, ResumeError, SettingsError
from dreamvid.farm.plans import SILENCE, Plan, Unit, begun, numbered, saved
from dreamvid.frames import Frame
from dreamvid.jobs.batches import Wanted, batches
from dreamvid.jobs.image_folders import STATE, Work, names_of, pictures_in, settled_pictures
from dreamvid.jobs.progress import Progress, Silence
from dreamvid.jobs.provenance import described
from dreamvid.settings import Settings, plugin_loading, settled
from dreamvid.sizes import parsed_size

UNITS = 64
"""As many units are made of a folder that has enough pictures."""


def plan_images(
    source: Path,
    out: Path,
    settings: Settings,
    *,
    batch: int = 0,
    per_unit: int | None = None,
    silence: float = SILENCE,
    command: str = "",
    progress: Progress | None = None,
) -> Plan:
    """Plan the pictures of a folder, `per_unit` of them a unit; see `plan_video` for the rest.

    Pictures that one process would dream together are in one unit: they differ in their last bits
    by what they are dreamed with.
    """
    progress = progress or Silence()
    if not source.is_dir():
        raise SettingsError(f"{source}: is no folder; `dreamvid image` dreams one picture")
    paths = pictures_in(source, progress.say)
    settings = settled_pictures(settings)
    dreamer = dreamer_for(settings)
    names = names_of(paths, settings)
    groups = _groups(names, settings, dreamer, batch)
    most = per_unit or max(1, len(names) // UNITS)
    with begun(out) as folder:
        units: list[Unit] = []
        for group in _packed(groups, most):
            name = numbered("pictures", len(units) + 1)
            units.append(picture_unit(folder, name, group, batch, settings, dreamer))
        needs = tuple(unit.name for unit in units)
        units.append(Unit("gather", "gather", 0, needs, {"results": sorted(names)}))
        mask = settings.video.mask
        return saved(folder, command, units, [source, *([mask] if mask else [])], silence)


def picture_unit(
    folder: Path,
    name: str,
    groups: list[dict[str, Path]],
    batch: int,
    settings: Settings,
    dreamer: Dreamer,
) -> Unit:
    """The unit that dreams groups of pictures, by the names of their dreams."""
    place = folder / "units" / name
    (place / STATE).mkdir(parents=True)
    comment = described("image", settings)
    if settings.video.mask:  # a worker may be started in any folder
        settings = settings.changed("video", mask=settings.video.mask.absolute())
    Work(place, settings, dreamer, batch, False, Silence()).begin(overwrite=False)
    facts = {
        "folder": f"units/{name}",
        "batch": batch,
        "comment": comment,
        "threads": torch.get_num_threads(),
        "groups": [
            {dream: str(path.absolute()) for dream, path in group.items()} for group in groups
        ],
    }
    return Unit(name, "pictures", sum(map(len, groups)), (), facts)


def made(maker: Any, unit: Unit) -> dict[str, Any]:
    """Make the dreams of a unit that are lacking; those of a group are made together."""
    folder: Path = maker.folder(unit)
    settings = settings_of(folder)
    mask = settings.video.mask
    if mask:
        settings = settings.changed("video", mask=maker.plan.here(mask))
    dreamer = maker.dreamer(settings, unit.facts)
    work = Work(folder, settings, dreamer, unit.facts["batch"], False, maker.progress)
    work.comment = unit.facts["comment"]
    work.begin(overwrite=False)
    done = 0
    for group in unit.facts["groups"]:
        pictures = [(name, _here(maker.plan, Path(path))) for name, path in group.items()]
        if all(work.has(name, path) for name, path in pictures):
            maker.progress.begin(done + len(pictures), unit.frames)
        else:
            work.dream(pictures, done)
        done += len(pictures)
    return {"left_out": work.bad}


def settings_of(folder: Path) -> Settings:
    """The settings of a folder of dreams, with their plugins loaded."""
    try:
        told = json.loads((folder / STATE / "settings.json").read_text("utf-8"))
        files = [each for each in told["plugins"] if not each.startswith(plugin_loading.INSTALLED)]
        plugin_loading.load_installed()
        plugin_loading.load(files)
        return settled(told["settings"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ResumeError(f"{folder / STATE}/settings.json: cannot be read ({error})") from None


def _here(plan: Plan, path: Path) -> Path:
    """Where a picture is on this machine."""
    if path.exists():
        return path
    return plan.here(path) if str(path) in plan.inputs else plan.here(path.parent) / path.name


def _groups(
    names: Mapping[str, Path], settings: Settings, dreamer: Dreamer, batch: int
) -> list[dict[str, Path]]:
    """The pictures that are dreamed together, by their sizes."""
    empty = [
        (Wanted(name, path, ""), frame)
        for name, path in names.items()
        if (frame := _blank(path, settings)) is not None
    ]
    known = {wanted.name for wanted, _ in empty}
    together = batches(empty, lambda size: batch or dreamer.together(size))
    groups = [{each.name: each.path for each in wanted} for wanted, _ in together]
    # Whoever makes it says what is wrong with a picture that cannot be read.
    return groups + [{name: path} for name, path in names.items() if name not in known]


def _blank(path: Path, settings: Settings) -> Frame | None:
    """A frame of the size of a picture's dream that takes no memory; None where it has no size."""
    try:
        size = media.picture_size(path)
        if settings.film.size:
            size = parsed_size(settings.film.size, size)
        return torch.empty(3, *size, device="meta")
    except DreamvidError:
        return None


def _packed(groups: Iterable[dict[str, Path]], least: int) -> Iterable[list[dict[str, Path]]]:
    """Groups in units of so many pictures at least."""
    packed: list[dict[str, Path]] = []
    for group in groups:
        packed.append(group)
        if sum(map(len, packed)) >= least:
            yield packed
            packed = []
    if packed:
        yield packed
