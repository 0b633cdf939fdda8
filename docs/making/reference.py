"""The reference, written from the registries, the sections of settings and the table of flags."""

import inspect
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

import numpy as np
from PIL import Image

from dreamvid.cli.listing import REGISTRIES, options_of, setting_names, told_setting
from dreamvid.cli.told import spellings, told
from dreamvid.flags import COMMANDS, flags_of
from dreamvid.networks import sketch, words
from dreamvid.registry import Registry
from dreamvid.settings import SECTIONS, presets
from making import looks, running
from making.looks import Look

TITLES = {
    "motions": "Motions",
    "objectives": "Objectives",
    "carries": "Carries",
    "flows": "Optical flows",
    "encoders": "Formats",
    "networks": "Networks",
    "spaces": "Spaces",
}
ABOUT = {
    "motions": "How the picture moves from one frame to the next; see [motions](../motions.md). "
    "The pictures show the seed after a second, without a dream: the option low, middle and high.",
    "objectives": "What a dream raises: `--set objective.name=NAME`; see "
    "[settings](../settings.md#objectives).",
    "carries": "How a dream over a film goes on to the next frame: `--carry NAME`; see "
    "[over a film](../video.md).",
    "flows": "How the motion of a film is found: `--flow NAME`.",
    "encoders": "The suffix of the result chooses one; its options: `--set encode.OPTION=VALUE`.",
    "networks": "What can dream: `--network NAME`; see [networks](../networks.md).",
    "spaces": "What a dream climbs in: `--space NAME`; see [spaces](../spaces.md).",
}
LOOKS: Mapping[str, Mapping[str, Look]] = {
    "motions": looks.MOTIONS,
    "objectives": looks.OBJECTIVES,
    "spaces": looks.SPACES,
    "carries": looks.CARRIES,
    "encoders": looks.ENCODERS,
}


def pages() -> dict[str, str]:
    """The text of each page by its name."""
    found = {name: _registry(name, registry) for name, registry in REGISTRIES.items()}
    found |= {
        "settings": _settings(),
        "presets": _presets(),
        "commands": _commands(),
        "words": _words(),
    }
    listed = "\n".join(["settings", "commands", "presets", *TITLES, "words"])
    found["index"] = (
        "# Reference\n\nEvery setting, command, flag and name, written from the program itself "
        f"when this site was built.\n\n```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n"
    )
    return found


def plain(text: str) -> str:
    """A text of the program as Markdown shows it; what stands between backquotes is code."""
    parts = re.split(r"(`+[^`]*`+)", text)
    return "".join(
        part if part.startswith("`") else re.sub(r"([*<>\[\]$|_])", r"\\\1", part) for part in parts
    )


def cell(text: str) -> str:
    """A text in a cell of a table."""
    return re.sub(r"(?<!\\)\|", r"\\|", plain(text)).replace("\n", " ")


def strip(look: Look, make: Callable[..., list] | None = None) -> str:
    """Pictures side by side, and what each is; made by the commands, or by `make` of them."""
    commands = look.commands
    if make is None:
        found = running.shown(commands, "beside", running.SMALL)
    else:
        found = running.kept(commands, "beside", running.SMALL, lambda: (make(commands), 0.0))
    words = ", ".join(look.labels)
    from_left = "From left to right: " if len(commands) > 1 else ""
    return (
        f"![{words}](../pictures/{found.path.name})\n\n*{from_left}{words}*, as by "
        f"`{commands[-1]}`\n"
    )


def _settings() -> str:
    set_by: dict[str, list[str]] = {}
    for command in COMMANDS:
        for name, flag in flags_of(command).items():
            if flag.sets:
                set_by.setdefault(flag.sets, []).append(spellings(name, flag)[-1])
    lines = [
        "# Settings",
        "",
        "Set them with `--set SECTION.KEY=VALUE`, in a preset or a `--config` file, or with the "
        "flag that is named. Those with a \\* may change over time; see "
        "[schedules](../motions.md#schedules).",
    ]
    for section, schema in SECTIONS.items():
        about = (inspect.getdoc(schema) or "").replace("\n\n", "\n").replace("\n", " ")
        lines += ["", f"## {section}", "", plain(about), ""]
        for name in (each for each in setting_names() if each.startswith(f"{section}.")):
            shown, said = told_setting(name)
            flags = ", ".join(f"`{each}`" for each in dict.fromkeys(set_by.get(name, ())))
            lines += [f"### {name}", "", plain(said), "", f"Default: {plain(shown) or 'none'}"]
            lines += [f"· {flags}"] if flags else []
            lines += ["", strip(looks.SETTINGS[name])] if name in looks.SETTINGS else []
            lines += [""]
    for section, plural in (("objective", "objectives"), ("carry", "carries"), ("flow", "flows")):
        lines += [f"## {section}", "", f"Its name and options: see [{plural}]({plural}.md).", ""]
    lines += ["## motion", "", "See [motions](motions.md).", ""]
    lines += ["## encode", "", "See [formats](encoders.md).", ""]
    return "\n".join(lines)


def _registry(name: str, registry: Registry) -> str:
    lines = [f"# {TITLES[name]}", "", ABOUT[name], ""]
    for entry in registry.names():
        about = inspect.getdoc(registry[entry]) or registry.summary(entry)
        if name == "networks":
            about = registry.summary(entry)
        lines += [f"## {entry}", "", plain(about), ""]
        if options := options_of(registry.options(entry)):
            lines += [f"Options: {plain(options)}", ""]
        if look := LOOKS.get(name, {}).get(entry):
            lines += [strip(look, _moved if name == "motions" else None)]
        if name == "networks" and entry == "pocket":
            lines += ["", f"Layers: {', '.join(f'`{each}`' for each in sketch(entry).layers)}", ""]
            lines += [strip(looks.flagged(looks.IMAGE, "--layer", "conv1", "3a", "4d"))]
    return "\n".join(lines)


def _moved(commands: Sequence[str]) -> list[Image.Image]:
    """The seed after a second of each command's motion, by that motion alone: no film is made."""
    from dreamvid.dream.timeline import Timeline
    from dreamvid.film.carries import traced_back
    from dreamvid.frames import Size, from_pixels, photographic, to_pixels
    from dreamvid.jobs.films import settings_for
    from dreamvid.motion.warp import grid, warp
    from dreamvid.settings import assigned

    with Image.open(running.ROOT / "samples" / "seed.jpg") as seed:
        whole = from_pixels(np.asarray(seed.convert("RGB")))
    size = Size(running.SMALL * 5 // 8, running.SMALL)
    small, found = photographic(whole, size), []
    for line in commands:
        words = shlex.split(line)
        name = words[words.index("--motion") + 1]
        asked = assigned([words[n + 1] for n, word in enumerate(words) if word == "--set"])
        motion = Timeline(settings_for(flags={"motion": [name]}, assigned=asked)).motion
        points = traced_back(motion, grid(size), 12, 12, size, Fraction(12))
        found.append(Image.fromarray(to_pixels(warp(small, points - grid(size)))))
    return found


def _presets() -> str:
    lines = [
        "# Presets",
        "",
        "`--preset NAME`; see [settings and presets](../settings.md). The pictures are made by "
        "pocket. Where it stands in the place of a preset's own network, they show how the preset "
        "dreams rather than of what; those that are nothing without their network have none.",
    ]
    for name in presets.names():
        tree = presets.load(name)
        lines += ["", f"## {name}", "", plain(presets.about(name)), ""]
        if name in looks.PRESETS:
            lines += [strip(looks.PRESETS[name])]
        lines += ["```toml"]
        for section, values in tree.items():
            if isinstance(values, Mapping):
                lines += [f"{section}.{key} = {_toml(value)}" for key, value in values.items()]
        lines += ["```"]
    return "\n".join([*lines, ""])


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{key} = {_toml(each)}' for key, each in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return str(value)


def _commands() -> str:
    lines = ["# Commands", "", "What `dreamvid COMMAND --help` shows, of every command."]
    for each in told():
        lines += ["", f"## {each.name}", "", f"`{each.usage}`", "", plain(each.about), ""]
        lines += [f"- `{a.name}`: {plain(a.help)}" for a in each.arguments]
        if each.flags:
            lines += ["", "| flag | |", "|---|---|"]
        for name, flag in each.flags.items():
            shown = ", ".join(spellings(name, flag)) + (f" {flag.metavar}" if flag.metavar else "")
            shown = shown.replace("|", "\\|")
            lines.append(f"| `{shown}` | {cell(each.help_of(name))} |")
        lines += ["", "```sh", each.example, "```"]
    return "\n".join([*lines, ""])


def _words() -> str:
    lines = [
        "# Words",
        "",
        "What `--of` knows; see [words](../words.md). First what stands for several classes, then "
        "the thousand classes of ImageNet.",
        "",
        "| word | also |",
        "|---|---|",
    ]
    for first, *others in sorted(words.groups()):
        lines.append(f"| {cell(first)} | {cell(', '.join(others))} |")
    for first, *others in sorted(words.synonyms(), key=lambda each: each[0].casefold()):
        lines.append(f"| {cell(first)} | {cell(', '.join(others))} |")
    return "\n".join([*lines, ""])
