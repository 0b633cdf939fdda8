"""Every setting as the page's controls need it, read from the registries and from nowhere else."""

import inspect
import math
import types
import typing
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from dreamvid.film.carries import carries
from dreamvid.flags import FLAGS
from dreamvid.machine.devices import device_for
from dreamvid.media import encoders
from dreamvid.motion.motions import motions
from dreamvid.motion.optical_flow import flows
from dreamvid.networks import networks
from dreamvid.objectives import objectives
from dreamvid.registry import Registry, Within, parameters
from dreamvid.schedules.schedule import EASINGS
from dreamvid.settings import SECTIONS, presets
from dreamvid.settings.belonging import BELONGING
from dreamvid.settings.docs import sayings
from dreamvid.settings.sections import NAMED_SECTIONS
from dreamvid.studio.drafts import COMMANDS, text_of

NAMED: dict[str, Registry] = {"objective": objectives, "carry": carries, "flow": flows}
"""The sections that hold one registered function and its options."""
MAIN = [flag.sets for flag in FLAGS.values() if flag.sets]
"""What has a flag of its own is wanted most, and comes first, in the order of the flags."""
LEFT_OUT = ("video.strict",)
"""What has no use on the page."""


def schema() -> dict[str, Any]:
    """All that can be set, in the order in which it is shown."""
    settings = [
        control(f"{section}.{name}", parameter, sayings(kind)[name])
        for section, kind in SECTIONS.items()
        for name, parameter in parameters(kind).items()
        if f"{section}.{name}" not in LEFT_OUT
    ]
    for section, registry in NAMED.items():
        settings.append(_choice_of(section, registry))
        settings += _options(section, registry)
    settings += _options("motion", motions)
    return {
        "settings": settings,
        "motions": {name: motions.summary(name) for name in motions.names()},
        "presets": {name: presets.about(name) for name in presets.names()},
        "networks": networks.names(),
        "encoders": encoders.encoders.names(),
        "easings": list(EASINGS),
        "device": str(device_for("auto")),
    }


def _choice_of(section: str, registry: Registry) -> dict[str, Any]:
    return {
        "name": f"{section}.name",
        "kind": "choice",
        "choices": registry.names(),
        "told": {name: registry.summary(name) for name in registry.names()},
        "default": NAMED_SECTIONS[section],
        "says": f"Which {registry.kind} is used.",
        "main": place_of(f"{section}.name"),
        "commands": commands_of(f"{section}.name"),
    }


def _options(section: str, registry: Registry) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for entry in registry.names():
        for name, parameter in registry.options(entry).items():
            whole = f"{section}.{entry}.{name}" if section == "motion" else f"{section}.{name}"
            shown = control(whole, parameter, registry.summary(entry))
            if section == "motion":
                shown["motion"] = entry
            else:
                # An option of several functions is one setting; the page shows it with each.
                shown["with"] = [*found.get(whole, {}).get("with", []), entry]
            found[whole] = shown
    return list(found.values())


def commands_of(name: str) -> list[str]:
    """The commands in which a setting changes anything."""
    place = name
    while place and place not in BELONGING:
        place = place.rpartition(".")[0]
    return [each for each in COMMANDS if not place or each in BELONGING[place]]


def place_of(name: str) -> int | None:
    """Where a setting stands among those that are wanted most; None where it does not."""
    return MAIN.index(name) if name in MAIN else None


def control(name: str, parameter: inspect.Parameter, says: str) -> dict[str, Any]:
    """A setting: its kind, its range or choices, its default, what is said of it."""
    default = parameter.default
    missing = default is inspect.Parameter.empty
    return {
        "name": name,
        **shape(parameter.annotation),
        "default": "" if missing else text_of(_plain(default)),
        "says": says,
        "main": place_of(name),
        "commands": commands_of(name),
    }


def shape(annotation: Any) -> dict[str, Any]:
    """The kind of control that a type asks for, with what is known of its values.

    The kinds are switch, choice, number, text, file and list. Of a union, the first part that is a
    number or a choice decides.
    """
    parts = list(_parts(annotation))
    bounds = next((each for each in parts if isinstance(each, Within)), None)
    kinds = [each for each in parts if not isinstance(each, Within)]
    ranged = _range(bounds) if bounds else {}
    if found := next((each for each in kinds if typing.get_origin(each) is Literal), None):
        choices = [text_of(each) for each in typing.get_args(found)]
        return {"kind": "choice", "choices": choices}
    if bool in kinds:
        return {"kind": "switch"}
    if any(each in (int, float) for each in kinds) and bounds and str not in kinds:
        whole = int in kinds and float not in kinds
        lists = any(typing.get_origin(each) is tuple for each in kinds)
        return {"kind": "number", "whole": whole, "lists": lists, **ranged}
    if found := next((each for each in kinds if typing.get_origin(each) is tuple), None):
        inner = shape(typing.get_args(found)[0])
        return {"kind": "list", "of": inner["kind"], **{k: inner[k] for k in ranged if k in inner}}
    if Path in kinds:
        return {"kind": "file"}
    return {"kind": "text"}


def _parts(annotation: Any) -> typing.Iterator[Any]:
    """The types that a value may have, and the ranges of numbers, outermost first."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is Annotated:
        yield from (each for each in arguments[1:] if isinstance(each, Within))
        yield from _parts(arguments[0])
    elif origin in (typing.Union, types.UnionType):
        # A plain number is what is set most; its range is the one to show.
        for each in sorted(arguments, key=lambda each: typing.get_origin(each) is tuple):
            yield from _parts(each)
    elif annotation is not type(None):
        yield annotation


def _range(bounds: Within) -> dict[str, Any]:
    ends = {"low": bounds.low, "high": bounds.high}
    shown = {name: float(end) for name, end in ends.items() if math.isfinite(end)}
    return {**shown, "above": bounds.above, "scheduled": bounds.scheduled, "rate": bounds.rate}


def _plain(value: Any) -> Any:
    """A default as JSON: rates and paths as texts."""
    if isinstance(value, Fraction | Path):
        return str(value)
    return dict(value) if isinstance(value, Mapping) else value
