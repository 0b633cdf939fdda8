"""What a shell can complete: for each flag and argument of each command, the values it takes."""

from typing import Any, get_args, get_type_hints

from dreamvid.cli import shells
from dreamvid.cli.listing import REGISTRIES, setting_names
from dreamvid.cli.told import Told, choices, spellings, told
from dreamvid.errors import SettingsError
from dreamvid.flags import Flag
from dreamvid.networks import sketch, words
from dreamvid.registry import did_you_mean
from dreamvid.settings import SECTIONS, presets

FILES, NOTHING, ANYTHING = "files", "nothing", "anything"
"""What completes as names of files; what takes no value; what has a value that nobody can know."""
LISTS = {
    "preset": "presets",
    "motion": "motions",
    "network": "networks",
    "carry": "carries",
    "flow": "flows",
    "of": "words",
    "layer": "layers",
    "assign": "settings",
    "presets": "presets",
    "networks": "networks",
    "device": "devices",
    "check": FILES,
    "images": FILES,
    "further": FILES,
}
"""The values of flags that are names of something, by the flags' names."""
ARGUMENTS = {
    ("list", "KIND"): "kinds",
    ("list", "NETWORK"): "networks",
    ("show", "KIND"): "shown",
    ("show", "NAME"): "named",
    ("completion", "SHELL"): "shells",
    ("weights list", "NETWORK"): "networks",
    ("weights fetch", "NETWORK"): "networks",
    ("weights verify", "NETWORK"): "networks",
    ("weights path", "NETWORK"): "networks",
    ("distil", "TEACHER"): "networks",
}
"""The values of arguments that are no files."""
SHELLS = {"bash": shells.bash, "zsh": shells.zsh, "fish": shells.fish}


def script(shell: str) -> str:
    """The script for a shell, to be read at its start.

    Raises:
        SettingsError: There is none for that shell.
    """
    if shell not in SHELLS:
        raise SettingsError(
            f"completion: no shell {shell!r}{did_you_mean(shell, SHELLS)} ({', '.join(SHELLS)})"
        )
    commands = [completed(each) for each in told()]
    return SHELLS[shell](commands, values())


def values() -> dict[str, list[str]]:
    """Every list of names, by its own name."""
    found = {name: registry.names() for name, registry in REGISTRIES.items()}
    motions = [
        f"motion.{name}.{option}"
        for name in REGISTRIES["motions"].names()
        for option in REGISTRIES["motions"].options(name)
    ]
    settings = [*setting_names(), *motions, *named_settings()]
    found |= {
        "presets": presets.names(),
        "layers": list(sketch("pocket").layers),
        "words": sorted(words.vocabulary()),
        "settings": [f"{name}=" for name in settings],
        "kinds": [*REGISTRIES, "layers", "presets", "settings", "words"],
        "shown": ["preset", "motion", "setting", "word"],
        "shells": list(SHELLS),
        "devices": ["auto", "cpu", "cuda", "mps"],
    }
    return {**found, "named": [*found["presets"], *found["motions"], *settings]}


def named_settings() -> list[str]:
    """The settings of sections that choose a registered function: its name and its options."""
    sections = {"objective": "objectives", "carry": "carries", "flow": "flows"}
    found = []
    for section, plural in sections.items():
        registry = REGISTRIES[plural]
        options = {option for name in registry.names() for option in registry.options(name)}
        found += [f"{section}.{option}" for option in ["name", *sorted(options)]]
    encoders = REGISTRIES["encoders"]
    options = {option for name in encoders.names() for option in encoders.options(name)}
    return [*found, *(f"encode.{option}" for option in sorted(options))]


def completed(command: Told) -> shells.Command:
    """The flags of a command and its arguments, each with the kind of its values."""
    flags = []
    for name, flag in command.flags.items():
        listed = flag.kind in ("list",) or flag.several
        kind = _kind(name, flag)
        flags.append(shells.Option(spellings(name, flag), kind, flag.help, listed))
    arguments = tuple(ARGUMENTS.get((command.name, each.name), FILES) for each in command.arguments)
    return shells.Command(command.name, command.about, tuple(flags), arguments)


def _kind(name: str, flag: Flag) -> str:
    if flag.kind == "switch":
        return NOTHING
    if name in LISTS:
        return LISTS[name]
    if flag.alone:
        return " ".join(flag.takes)
    if flag.kind == "file" or flag.metavar == "FILE":
        return FILES
    section, _, key = flag.sets.partition(".")
    if section in SECTIONS:
        hint: Any = get_type_hints(SECTIONS[section])[key]
        found = choices(hint) or [text for part in get_args(hint) for text in choices(part)]
        return " ".join(found) or ANYTHING
    return ANYTHING
