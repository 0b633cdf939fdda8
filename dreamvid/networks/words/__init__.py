"""Words for what a network's classes show: ImageNet's thousand names, other names, groups.

`classes.txt` has a line for each class, in the order of ILSVRC 2012: its name, then other names for
it. `groups.tsv` has words that stand for several classes, or for things that have no class of their
own (a forest is valleys and lakesides): the words, a tab, then numbers, ranges and weights.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from dreamvid.errors import SettingsError
from dreamvid.registry import did_you_mean

HERE = Path(__file__).parent
ENDINGS = (("ies", "y"), ("ves", "f"), ("ves", "fe"), ("es", ""), ("s", ""))
"""How plurals end, and what stands there in the singular."""
IRREGULAR = {
    "children": "child",
    "fungi": "fungus",
    "geese": "goose",
    "men": "man",
    "mice": "mouse",
    "oxen": "ox",
    "people": "person",
    "women": "woman",
}

Meaning = Mapping[int, float]
"""Classes by number, each with a weight above 0."""


@lru_cache
def names() -> tuple[str, ...]:
    """The thousand names, in order."""
    return tuple(each[0] for each in synonyms())


@lru_cache
def synonyms() -> tuple[tuple[str, ...], ...]:
    """The names of each class, its own name first."""
    return tuple(tuple(line.split(", ")) for line in _lines("classes.txt"))


@lru_cache
def groups() -> Mapping[tuple[str, ...], Meaning]:
    """What stands for several classes: its words, and the classes."""
    found = {}
    for line in _lines("groups.tsv"):
        words, classes = line.split("\t")
        found[tuple(words.split(", "))] = _classes(classes)
    return found


@lru_cache
def vocabulary() -> Mapping[str, Meaning]:
    """Every word, in small letters: a class's own name before a group's, that before others."""
    found: dict[str, Meaning] = {_plain(name): {n: 1.0} for n, name in enumerate(names())}
    for words, classes in groups().items():
        for word in words:
            found.setdefault(_plain(word), classes)
    for number, others in enumerate(synonyms()):
        for word in others[1:]:
            found.setdefault(_plain(word), {number: 1.0})
    return found


def meaning(word: str, known: Mapping[str, Meaning] | None = None, where: str = "words") -> Meaning:
    """The classes that a word means, in the singular or the plural.

    Args:
        word: with any letters, spaces and hyphens.
        known: the words there are, in small letters; otherwise the `vocabulary`.
        where: what the error begins with.

    Raises:
        SettingsError: it means none; the error names the nearest word.
    """
    words = vocabulary() if known is None else known
    for form in _singulars(_plain(word)):
        if form in words:
            return words[form]
    listed = "`dreamvid list words` has all" if known is None else ", ".join(list(words)[:8])
    raise SettingsError(f"{where}: no word {word!r}{did_you_mean(word, words)} ({listed})")


def named(classes: tuple[str, ...]) -> Mapping[str, Meaning]:
    """The words for a head of other classes than ImageNet's: their names."""
    found: dict[str, Meaning] = {}
    for number, name in enumerate(classes):
        found.setdefault(_plain(name), {number: 1.0})
    return found


def _singulars(word: str) -> list[str]:
    """The word, and what it may be the plural of; only its last part changes."""
    start, space, last = word.rpartition(" ")
    forms = [last]
    if last in IRREGULAR:
        forms.append(IRREGULAR[last])
    for ending, instead in ENDINGS:
        if last.endswith(ending) and len(last) > len(ending) + 1:
            forms.append(last.removesuffix(ending) + instead)
    return [start + space + form for form in forms]


def _plain(word: str) -> str:
    return re.sub(r"[\s_-]+", " ", word.strip().casefold()).replace("’", "'")


def _classes(text: str) -> Meaning:
    """``"151..268, 406=0.5"`` as numbers and weights."""
    found: dict[int, float] = {}
    for part in text.split(", "):
        numbers, _, weight = part.partition("=")
        first, _, last = numbers.partition("..")
        for number in range(int(first), int(last or first) + 1):
            found[number] = float(weight or 1)
    return found


def _lines(file: str) -> list[str]:
    return (HERE / file).read_text(encoding="utf-8").splitlines()
