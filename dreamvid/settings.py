"""Every setting, its default and its range; and how presets, files and flags are laid over them.

A tree of settings is a plain nested dict, as TOML or JSON gives it. Trees are laid over each
other (defaults < preset < ``--config`` < flag < ``--set``) and checked once, by `settled`.
"""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, time
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from dreamvid.errors import SettingsError
from dreamvid.registry import Fraction01, Within, checked_options, did_you_mean

Tree = dict[str, Any]

FRAMES = 300
FPS = Fraction(30)


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """Which network dreams, and of what."""

    name: str = "pocket"
    """A network, or several that dream together, parted by commas."""
    weights: str | tuple[str, ...] | None = ()
    """Weights files: FILE, or NETWORK=FILE for several networks; none: each network's own."""
    layers: tuple[str, ...] = ()
    """Selectors: name, name=weight, name:channel, number or glob; none: the network's own.

    With several networks, each begins with its network's name and a slash.
    """
    walk: tuple[str, ...] = ()
    """Selectors of which each frame dreams one, in turn and over again, instead of `layers`."""


@dataclass(frozen=True, kw_only=True)
class OctaveSettings:
    """The pyramid of sizes that a frame is dreamed at, smallest first."""

    count: Annotated[int, Within(1, 20)] = 4
    scale: Annotated[float, Within(1.01, 8)] = 1.4
    sizes: Literal["cascaded", "rounded", "truncated"] = "cascaded"
    """Each size from the next larger, rounded; all from the largest; from the next, cut off."""
    carry: Literal["detail", "whole", "merged"] = "detail"
    """What is carried up: the dreamed detail alone (2015), the whole picture, or it merged."""
    alpha: Fraction01 = 0.5
    """With ``merged``: the original's share where the enlarged dream is merged with it."""
    align: Literal["corners", "centres"] = "corners"
    """What stays in place when a picture is resized: its corner pixels, or pixels' areas."""
    blur: Annotated[float, Within(0, 16)] = 0.0
    """Gaussian pyramid: its standard deviation in pixels before each shrinking; 0 is none."""
    passes: Annotated[int, Within(1, 1000)] = 1
    """How often the whole pyramid is climbed."""
    layers: tuple[tuple[str, ...], ...] = ()
    """Selectors for each octave, smallest first, instead of the network's `layers`."""
    weights: tuple[Annotated[float, Within(-100, 100, scheduled=True)], ...] = ()
    """Each octave's step size relative to the others', smallest octave first; 1 where none is."""


@dataclass(frozen=True, kw_only=True)
class AscentSettings:
    """Gradient ascent at each octave.

    `iterations` and `step_size` may be lists, a value for each octave, smallest first; of longer
    lists the last values count.
    """

    iterations: (
        tuple[Annotated[int, Within(0, 10000)], ...]
        | Annotated[int, Within(0, 10000, scheduled=True)]
    ) = 10
    later: Annotated[int, Within(0, 10000, scheduled=True)] | None = None
    """Iterations on frames that start from a dream; as many as on the first when unset."""
    step_size: (
        tuple[Annotated[float, Within(-1000, 1000)], ...]
        | Annotated[float, Within(-1000, 1000, scheduled=True)]
    ) = 1.5
    """In 8-bit levels, whatever the network's own units are."""
    later_step_size: Annotated[float, Within(-1000, 1000, scheduled=True)] | None = None
    """On frames that start from a dream; as on the first when unset."""
    jitter: Annotated[int, Within(0, 1024, scheduled=True)] = 32
    """Largest roll before each step, in pixels."""
    smoothing: Annotated[float, Within(0, 64, scheduled=True)] = 0.0
    """Cascade Gaussian smoothing of the gradient: the cascade's first width; 0 is none."""
    gaussian: Annotated[float, Within(0, 64)] = 0.0
    """Gaussian smoothing of the gradient: its standard deviation in pixels; 0 is none."""
    laplacian: Annotated[int, Within(0, 16)] = 0
    """Splits of a Laplacian pyramid whose levels are evened out in the gradient; 0 is none."""
    normalise: Literal["mean", "deviation", "none"] = "mean"
    """By mean |g|, by the standard deviation of g, or not at all; after smoothing."""
    update: Literal["plain", "momentum", "adam"] = "plain"
    """How gradients become steps; momentum and Adam begin anew at each octave."""
    momentum: Annotated[float, Within(0, 0.9999)] = 0.9
    """With ``momentum``: how much of the last step goes on."""
    clamp: bool = True
    """Keep every step within what a picture can hold."""
    blur: Annotated[float, Within(0, 64)] = 0.0
    """Gaussian blur of the picture after every step, in pixels: holds back sparkle; 0 is none."""


@dataclass(frozen=True, kw_only=True)
class FilmSettings:
    """The film as a whole."""

    frames: Annotated[int, Within(1, 10_000_000)] | None = None
    """None: 300, or as many as an input film has."""
    fps: Annotated[Fraction, Within(Fraction(1, 10), 1000)] | None = None
    """None: 30, or an input film's own."""
    size: int | str | None = None
    """WxH, or the longer side in pixels; none: 640 for a film, a picture's own for a picture."""
    depth: Literal[8, 16] = 8
    """Bits a channel of the frames on disk."""
    seed: Annotated[int, Within(0, 2**63 - 1)] = 0
    cadence: Annotated[int, Within(1, 1000)] = 1
    """Every so many frames one is dreamed; those between are moved and blended."""
    anchor: Fraction01 = 0.3
    """The share of the drift in brightness, contrast and saturation taken back in a second."""

    @property
    def length(self) -> int:
        """In frames."""
        return FRAMES if self.frames is None else self.frames

    @property
    def rate(self) -> Fraction:
        """In frames a second."""
        return FPS if self.fps is None else self.fps


@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """How a loop is closed."""

    closing: Literal["planting", "relaxation"] = "planting"
    """Small spots and patches at a time, or everything at once."""
    turns: Annotated[int, Within(2, 100)] = 3
    """At most so many, the one that runs in included."""
    breath: Fraction01 | None = None
    """The share of a closed walk through noise laid over each start; none: 0.15 standing still."""


@dataclass(frozen=True, kw_only=True)
class VideoSettings:
    """Dreaming over a film."""

    start: int | str = 0
    """The first frame to dream over, or its time: 120, 2.5s, 1:02.5."""
    end: int | str | None = None
    """The first frame to leave out again, or its time; none: the film's end."""
    strict: bool = False
    """Refuse a damaged film rather than dream over what there is of it."""
    sound: bool = True
    mask: Path | None = None
    """A picture or a film: white dreams, black stays."""
    mask_follows: bool = True
    """Whether a mask that is a picture moves with what it lies on."""
    keep_color: bool = False
    """The dream's brightness in the film's own colours."""


@dataclass(frozen=True, kw_only=True)
class MachineSettings:
    """Where and how precisely the dream is computed."""

    device: str = "auto"
    precision: Literal["auto", "fp64", "fp32", "bf16"] = "auto"
    """Of the network: bf16 is fastest where the device has it, fp64 is for comparisons."""
    threads: Annotated[int, Within(0, 1024)] = 0
    """Processor threads; 0 is as many as there are cores."""
    tile: Annotated[int, Within(0, 65536)] = 0
    """Largest side in pixels of what is dreamed at once; 0 is as large as memory allows."""
    min_free: int | str = "200MB"
    """A film stops, to be gone on with, before its disk has less than this free; 0 never."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings. Those that are trees hold options of registered functions.

    A number that may follow a schedule can be one here, as it was written, until
    `timeline.Timeline` says what it is at a frame.
    """

    network: NetworkSettings = field(default_factory=NetworkSettings)
    objective: Tree = field(default_factory=lambda: {"name": "energy"})
    octaves: OctaveSettings = field(default_factory=OctaveSettings)
    ascent: AscentSettings = field(default_factory=AscentSettings)
    motion: Tree = field(default_factory=dict)
    """Motions by name, in the order they are applied, each with its options."""
    carry: Tree = field(default_factory=lambda: {"name": "flow"})
    flow: Tree = field(default_factory=lambda: {"name": "dis"})
    film: FilmSettings = field(default_factory=FilmSettings)
    video: VideoSettings = field(default_factory=VideoSettings)
    loop: LoopSettings = field(default_factory=LoopSettings)
    machine: MachineSettings = field(default_factory=MachineSettings)
    encode: Tree = field(default_factory=dict)

    def tree(self) -> Tree:
        """The settings as a tree of plain JSON values, which `settled` takes back."""
        return json.loads(json.dumps(asdict(self), default=str))

    def changed(self, section: str, **values: Any) -> "Settings":
        """A copy with some values of one section replaced."""
        return replace(self, **{section: replace(getattr(self, section), **values)})


SECTIONS: dict[str, Any] = {
    "network": NetworkSettings,
    "octaves": OctaveSettings,
    "ascent": AscentSettings,
    "film": FilmSettings,
    "video": VideoSettings,
    "loop": LoopSettings,
    "machine": MachineSettings,
}
NAMED_SECTIONS = {"objective": "energy", "carry": "flow", "flow": "dis"}
"""Sections that hold one registered function's name and options, and who it is by default."""
OPEN_SECTIONS = (*NAMED_SECTIONS, "motion", "encode")
UNPAINTED = (
    "film.frames",
    "machine.device",
    "machine.threads",
    "machine.tile",
    "machine.min_free",
    "network.weights",
    "encode",
    "loop.turns",
    "video.strict",
    "video.sound",
    "video.mask",
)
"""What changes no pixel of a frame, or is recorded in another way."""


def laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> Tree:
    """Two trees as one, `above` winning.

    A list of motions keeps only those, in that order; another carry, flow method or objective
    takes nothing over from the one before.
    """
    result = dict(below)
    for name, value in above.items():
        old = result.get(name, {})
        if name in NAMED_SECTIONS and isinstance(value, Mapping) and isinstance(old, Mapping):
            usual = NAMED_SECTIONS[name]
            if value.get("name", old.get("name", usual)) != old.get("name", usual):
                old = {}
        if name == "motion" and isinstance(value, Sequence) and not isinstance(value, str):
            result[name] = {str(motion): old.get(str(motion), {}) for motion in value}
        elif isinstance(value, Mapping) and isinstance(old, Mapping):
            result[name] = laid_over(old, value)
        else:
            result[name] = value
    return result


def settled(tree: Mapping[str, Any]) -> Settings:
    """A tree as `Settings`; `SettingsError` names the first value that is not allowed."""
    sections: Tree = {}
    for name, values in tree.items():
        if name not in SECTIONS and name not in OPEN_SECTIONS:
            known = [*SECTIONS, *OPEN_SECTIONS]
            raise SettingsError(
                f"{name}: no such section{did_you_mean(name, known)} ({', '.join(known)})"
            )
        if not isinstance(values, Mapping):
            raise SettingsError(f"{name}: got {values!r}, wanted a table of settings")
        if name in SECTIONS:
            options = checked_options(SECTIONS[name], values, name)
            sections[name] = SECTIONS[name](**options)
        else:
            sections[name] = dict(values)
    for name, options in sections.get("motion", {}).items():
        if not isinstance(options, Mapping):
            raise SettingsError(f"motion.{name}: got {options!r}, wanted a table of options")
    for name, usual in NAMED_SECTIONS.items():
        if name in sections:
            sections[name].setdefault("name", usual)
    return Settings(**sections)


FLAGS = {
    "frames": "film.frames",
    "fps": "film.fps",
    "size": "film.size",
    "depth": "film.depth",
    "seed": "film.seed",
    "cadence": "film.cadence",
    "anchor": "film.anchor",
    "network": "network.name",
    "weights": "network.weights",
    "layer": "network.layers",
    "octaves": "octaves.count",
    "iterations": "ascent.iterations",
    "motion": "motion",
    "start": "video.start",
    "end": "video.end",
    "strict": "video.strict",
    "mask": "video.mask",
    "keep_color": "video.keep_color",
    "carry": "carry.name",
    "flow": "flow.name",
    "device": "machine.device",
    "precision": "machine.precision",
    "min_free": "machine.min_free",
}
"""The flags that are settings, by their long names."""


def flagged(flags: Mapping[str, Any]) -> Tree:
    """The tree that flags make; those that are None were not given."""
    tree: Tree = {}
    for name, value in flags.items():
        if name not in FLAGS:
            raise SettingsError(f"no setting {name!r}{did_you_mean(name, FLAGS)}")
        if value is None:
            continue
        section, _, key = FLAGS[name].partition(".")
        if name == "motion" and isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()] or ["hold"]
        if name == "layer" and isinstance(value, str):
            value = [value]
        if name == "weights":
            value = [str(each) for each in ([value] if isinstance(value, str | Path) else value)]
        if name == "mask":
            value = str(value)
        if key:
            tree.setdefault(section, {})[key] = value
        else:
            tree[section] = value
    return tree


TEXTS = (
    *("size", "weights", "network", "layer", "motion", "device", "precision"),
    *("start", "end", "mask", "carry", "flow", "min_free"),
)


def valued(name: str, text: Any) -> Any:
    """A flag's text as a value: TOML where the setting is no text itself."""
    return text if name in TEXTS or not isinstance(text, str) else _toml_value(text)


def assigned(assignments: Sequence[str]) -> Tree:
    """The tree that ``--set section.key=value`` texts make; values are TOML, or else bare text."""
    tree: Tree = {}
    for text in assignments:
        path, equals, value = text.partition("=")
        keys = [key.strip() for key in path.split(".")]
        if not equals or len(keys) < 2 or not all(keys):
            raise SettingsError(f"--set: got {text!r}, wanted section.key=value")
        branch = tree
        for key in keys[:-1]:
            branch = branch.setdefault(key, {})
            if not isinstance(branch, dict):
                raise SettingsError(f"--set: {text!r} is at odds with an assignment before it")
        branch[keys[-1]] = _toml_value(value.strip())
    return tree


def _toml_value(text: str) -> Any:
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text
    # No setting is a date or a time of day, but a film's time looks like one.
    return text if isinstance(value, date | time) else value


def read_tree(text: str, where: str) -> Tree:
    """A tree from TOML or JSON text; `where` names it in the error."""
    if len(text) > 1_000_000:
        raise SettingsError(
            f"{where}: too long for settings ({len(text)} characters, 1000000 at most)"
        )
    try:
        tree = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{where}: not TOML or JSON settings: {error}") from None
    return tree


def changes(before: Settings, after: Settings) -> list[str]:
    """What of the settings that change a frame's pixels is different, in words."""
    old, new = painted(before), painted(after)
    return [
        f"{name} {old.get(name)!r} -> {new.get(name)!r}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def painted(settings: Settings) -> dict[str, Any]:
    """The settings that change a frame's pixels, flat, by dotted name."""

    def flat(prefix: str, value: Any) -> dict[str, Any]:
        if isinstance(value, dict):
            return {
                k: v
                for key, each in value.items()
                for k, v in flat(f"{prefix}.{key}", each).items()
            }
        return {prefix: value}

    tree = settings.tree()
    # The order of motions matters, and a flat dict would lose it.
    everything: dict[str, Any] = {"motion": list(tree["motion"])}
    for name, value in tree.items():
        everything |= flat(name, value)
    found = {
        name: value
        for name, value in everything.items()
        if not any(name == key or name.startswith(key + ".") for key in UNPAINTED)
    }
    if any(re.search(r"\bframes\b", json.dumps(value)) for value in found.values()):
        found["film.frames (which a schedule depends on)"] = settings.film.length
    return found
