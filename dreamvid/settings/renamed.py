"""Settings that were given another name; the old name is still read."""

import logging
from collections.abc import Mapping
from functools import cache

from dreamvid.errors import SettingsError
from dreamvid.settings.sections import Tree

RENAMED = {"octaves.carry": "octaves.enlarge"}
"""Old names and the names that replaced them, section and setting, within one section."""

log = logging.getLogger("dreamvid")


def renamed(tree: Mapping[str, object]) -> Tree:
    """`tree` with new names for old ones, and a line of advice for each, once a process.

    Raises:
        SettingsError: a setting is given by its old and by its new name.
    """
    result = dict(tree)
    for old, new in RENAMED.items():
        section, _, key = old.partition(".")
        values, name = result.get(section), new.partition(".")[2]
        if not isinstance(values, Mapping) or key not in values:
            continue
        if name in values:
            raise SettingsError(f"{old}: is called {new} now, and both are given; leave {old} out")
        advise(old, new)
        # In its old place: the order of a section's settings stays.
        result[section] = {name if each == key else each: value for each, value in values.items()}
    return result


@cache
def advise(old: str, new: str) -> None:
    """Say what a setting is called now."""
    log.warning("%s is called %s now; the old name is still read", old, new)
