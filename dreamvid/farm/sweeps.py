"""A sweep: one film or picture made with many settings, and a contact sheet of them all.

::

    command = "zoom"            # zoom, loop, video or image
    seed = "seed.jpg"           # and every flag of the command by its name
    frames = 30

    [grid]                      # every combination of these
    strength = [0.5, 1, 2]
    "motion.zoom.rate" = [1.05, 1.2]

    [[list]]                    # and each of these with every combination
    preset = "gentle"

A key with a dot is a setting, any other a flag. Paths are seen from the folder of the sweep.
"""

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dreamvid import media
from dreamvid.dream.dreamer import dreamer_for
from dreamvid.errors import DreamvidError, SettingsError
from dreamvid.farm.pictures import picture_unit
from dreamvid.farm.planning import planned_film
from dreamvid.farm.plans import SILENCE, Plan, Unit, begun, numbered, saved
from dreamvid.frames import Frame, covered, fitted, size_of
from dreamvid.jobs import naming
from dreamvid.jobs.configs import read_toml
from dreamvid.jobs.image_folders import settled_pictures
from dreamvid.jobs.progress import Progress, Silence
from dreamvid.jobs.queue import ARGUMENTS, Entry, entry_of, told_of, unknown_in
from dreamvid.settings import CELL_SIDE
from dreamvid.sizes import parsed_size
from dreamvid.studies.contact import Cell, Row, contact_sheet
from dreamvid.studies.sheets import wrapped

COMMANDS = {**ARGUMENTS, "image": "seed"}
"""What the argument of each command is called."""
MOST = 100_000
SHEET = "sheet.png"
Combination = dict[str, Any]


def plan_sweep(
    path: Path,
    out: Path,
    *,
    silence: float = SILENCE,
    command: str = "",
    progress: Progress | None = None,
) -> Plan:
    """Plan the sweep of a TOML file: a unit for each setting, then the contact sheet.

    Paths in the file are seen from the working folder.

    Raises:
        SettingsError: the file is no sweep, or a combination is not allowed; it is named.
    """
    base, grid, alternatives = read_sweep(path)
    combinations = list(_combined(grid, alternatives))
    entries = [_entry(base, each, number) for number, each in enumerate(combinations, 1)]
    with begun(out) as folder:
        units = [
            _unit(entry, folder, combination, progress or Silence())
            for entry, combination in zip(entries, combinations, strict=True)
        ]
        needs = tuple(unit.name for unit in units)
        results = [entry.out.name for entry in entries]
        if base["command"] == "image":
            units.append(Unit("gather", "gather", 0, needs, {"results": results}))
            needs = ("gather",)
        labels = [_label(each) for each in combinations]
        sheet = {"cells": list(zip(labels, results, strict=True)), "title": path.name}
        if len(grid) == 2 and len(alternatives) == 1 and not alternatives[0]:
            (_, rows), (name, columns) = grid.items()
            sheet |= {"rows": len(rows), "headings": [_label({name: each}) for each in columns]}
        units.append(Unit("sheet", "sheet", 0, needs, {**sheet, "result": SHEET}))
        inputs = {entry.source for entry in entries if entry.source}
        inputs |= {entry.settings.video.mask for entry in entries if entry.settings.video.mask}
        return saved(folder, command, units, sorted(inputs), silence)


def read_sweep(path: Path) -> tuple[dict[str, Any], dict[str, list[Any]], list[Combination]]:
    """What all of a sweep have, its grid, and its list; or a `SettingsError`."""
    tree = read_toml(path, "a sweep")
    grid, alternatives = tree.pop("grid", {}), tree.pop("list", [{}])
    if not isinstance(grid, dict) or not isinstance(alternatives, list) or not alternatives:
        raise SettingsError(f"{path}: expected a table [grid], or tables [[list]]")
    for key, values in grid.items():
        if not isinstance(values, list) or not values:
            raise SettingsError(f"{path}: grid: {key}: got {values!r}, expected a list of values")
    if not all(isinstance(each, dict) for each in alternatives):
        raise SettingsError(f"{path}: list: expected tables [[list]]")
    count = math.prod(map(len, grid.values())) * len(alternatives)
    if count == 1 or count > MOST:
        raise SettingsError(f"{path}: makes {count} films, expected 2 to {MOST}; see [grid]")
    return tree, grid, alternatives


def _combined(
    grid: Mapping[str, Sequence[Any]], alternatives: Sequence[Combination]
) -> Iterator[Combination]:
    """Each of the alternatives with every combination of the grid, its last key the fastest."""
    for alternative in alternatives:
        for values in itertools.product(*grid.values()):
            yield {**alternative, **dict(zip(grid, values, strict=True))}


def _entry(base: Mapping[str, Any], combination: Combination, number: int) -> Entry:
    """The film or picture of a combination, checked as on the command line."""
    flags = {key: value for key, value in combination.items() if "." not in key}
    settings = {key: value for key, value in combination.items() if "." in key}
    job = {**base, **flags}
    chosen = job.pop("set", [])
    if isinstance(chosen, dict):
        job["set"] = {**chosen, **settings}
    else:
        texts = [chosen] if isinstance(chosen, str) else list(chosen)
        job["set"] = [*texts, *(f"{key}={_toml(value)}" for key, value in settings.items())]
    try:
        told = told_of(job, COMMANDS)
        faults = list(unknown_in(told, job))
        if faults:
            raise SettingsError(faults[0])
        out = Path(told.flags.get("out", _usual(told.command, told.argument)))
        told.flags["out"] = f"{out.stem}-{number:04d}{out.suffix}"
        return entry_of(number, told, {})
    except DreamvidError as error:
        raise SettingsError(f"{_label(combination)}: {error}") from None


def _usual(command: str, argument: Any) -> str:
    source = Path(argument) if isinstance(argument, str) else None
    suffix = ".png" if command == "image" else ".mp4"
    return f"{naming.called(source)}-{command}{suffix}"


def _unit(entry: Entry, folder: Path, combination: Combination, progress: Progress) -> Unit:
    """The unit that makes a film or a picture of the sweep."""
    name = numbered("setting", entry.number)
    try:
        if entry.command != "image":
            place = folder / "units" / name
            return planned_film(
                entry.command,
                entry.source,
                folder,
                place,
                entry.out.name,
                entry.settings,
                progress,
                at=entry.options.get("at"),
            )
        settings = settled_pictures(entry.settings)
        assert entry.source is not None
        media.read_picture(entry.source)
        groups = [{entry.out.name: entry.source}]
        return picture_unit(folder, name, groups, 1, settings, dreamer_for(settings))
    except DreamvidError as error:
        raise type(error)(f"{_label(combination)}: {error}") from None


def sheet_of(maker: Any, unit: Unit) -> dict[str, Any]:
    """Draw the contact sheet: each picture, or each film's middle frame, under its settings."""
    facts = unit.facts
    frames = [_shown(maker.plan.results / result) for _, result in facts["cells"]]
    size = size_of(frames[0])
    cells = [fitted(frame, size, "pad", "black") for frame in frames]
    labels = [label for label, _ in facts["cells"]]
    if headings := facts.get("headings"):
        count = len(headings)
        rows = [
            Row(
                [Cell(each) for each in cells[start : start + count]],
                labels[start].rpartition(", ")[0],
            )
            for start in range(0, len(cells), count)
        ]
    else:
        headings = []
        rows = wrapped([(label, Cell(each)) for label, each in zip(labels, cells, strict=True)])
    drawn = contact_sheet(rows, headings, facts["title"])
    media.write_picture(drawn, maker.plan.results / facts["result"])
    return {}


def _shown(path: Path) -> Frame:
    """What stands for a result, at the size of a cell."""
    if media.is_picture(path) and path.suffix.lower() not in (".gif", ".webp", ".apng"):
        frame = media.read_picture(path)
    else:
        film = media.probe(path)
        frame = media.picture_at(path, film, film.frames // 2)
    return covered(frame, parsed_size(CELL_SIDE, size_of(frame)))


def _label(combination: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in combination.items())


def _toml(value: Any) -> str:
    """A value as TOML has it, which JSON is like for all that a setting can be."""
    return json.dumps(value, ensure_ascii=False)
