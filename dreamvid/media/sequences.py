"""Image sequences: the pictures that a folder or a pattern of names stands for, in order."""

import fnmatch
import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from dreamvid.errors import MediaError
from dreamvid.machine.hashing import input_hash
from dreamvid.media.formats import address_of, is_picture_file

_NUMBER = re.compile(r"%(?:0(\d{1,2}))?d|(##+)")
_NAMED = 5
"""So many files are named in a line."""


@dataclass(frozen=True)
class Stills:
    """The pictures of a sequence.

    Attributes:
        paths: a picture for each frame; None where the number of one is missing.
        first: the number of the first.
        step: how much a number is above the one before.
        remarks: lines to say of what was not taken as it is.
    """

    paths: tuple[Path | None, ...]
    first: int = 0
    step: int = 1
    remarks: tuple[str, ...] = ()


def is_sequence(path: Path) -> bool:
    """Whether a path stands for several pictures: a folder, or a pattern that is no file's name."""
    if path.is_dir():
        return True
    pattern = numbered(path.name) or re.search(r"[*?]", path.name)
    return bool(pattern) and not path.exists() and not address_of(path)


def numbered(name: str) -> re.Pattern[str] | None:
    """What names of pictures a pattern such as shot.%04d.png or shot.####.png stands for.

    The number is the first group. None where `name` is no such pattern.
    """
    found = list(_NUMBER.finditer(name))
    if len(found) != 1:
        return None
    digits = int(found[0][1] or 1) if found[0][2] is None else len(found[0][2])
    before, after = name[: found[0].start()], name[found[0].end() :]
    # As printf does: at least so many digits, and no zero before more of them.
    number = rf"(\d{{{digits}}}|[1-9]\d{{{digits},}})"
    return re.compile(re.escape(before) + number + re.escape(after))


def name_of(pattern: str, number: int) -> str:
    """The name of the picture of a number in a pattern such as shot.%04d.png."""

    def written(found: re.Match[str]) -> str:
        return f"{number:0{int(found[1] or 1) if found[2] is None else len(found[2])}d}"

    return _NUMBER.sub(written, pattern)


def plain_name(path: Path) -> str:
    """What a sequence is called without what stands for the numbers in its name."""
    if path.is_dir():
        return path.absolute().name
    name = re.sub(r"[*?]+", "", _NUMBER.sub("", path.stem)).strip(" ._-")
    return name or path.absolute().parent.name


def of_pattern(path: Path) -> list[Path]:
    """The files that there are of a pattern such as shot.%04d.png, by number."""
    pattern = numbered(path.name)
    if pattern is None or not path.parent.is_dir():
        return []
    files = {each: pattern.fullmatch(each.name) for each in _files(path.parent)}
    found = {each: int(match[1]) for each, match in files.items() if match}
    return sorted(found, key=lambda each: found[each])


def stills_of(path: Path) -> Stills:
    """The pictures that a folder or a pattern stands for.

    Of a folder or a pattern with * or ?, those that are pictures by what they hold, in natural
    order; of one with a number, such as %04d, a place for each number.

    Raises:
        MediaError: there are none, or those of several sequences, or the folder cannot be read.
    """
    if numbered(path.name) and not path.is_dir():
        return _by_number(path)
    if path.is_dir():
        if (path / "job.json").is_file():
            raise MediaError(f"{path}: is a job; name its film, or its folder of frames")
        files = _files(path)
    else:
        files = [each for each in _files(path.parent) if fnmatch.fnmatch(each.name, path.name)]
        if not files:
            raise MediaError(f"{path}: no file has such a name; check the folder and the pattern")
    found = [each for each in files if each.stat().st_size and is_picture_file(each)]
    if not found:
        raise MediaError(
            f"{path}: holds no pictures, expected the frames of a film; name a film in it"
        )
    _check_one(path, found)
    remarks = []
    if skipped := [each.name for each in files if each not in set(found)]:
        remarks.append(
            f"{path.name}: {len(skipped)} files are no pictures and are skipped: {_listed(skipped)}"
        )
    found.sort(key=lambda each: natural(each.name))
    numbers = [int(number) for each in found if (number := _last_number(each.name)) is not None]
    if len(numbers) < len(found) or numbers != sorted(set(numbers)):
        return Stills(tuple(found), remarks=tuple(remarks))
    step, missing = _missing(numbers)
    if missing:
        remarks.append(
            f"{path.name}: {len(missing)} numbers are missing ({_listed(missing)}), and the "
            f"pictures around them follow each other; with {_pattern_of(found[0])!r} instead, the "
            "picture before stays"
        )
    return Stills(tuple(found), numbers[0], step, tuple(remarks))


def _by_number(path: Path) -> Stills:
    pattern, found = numbered(path.name), of_pattern(path)
    if not found:
        raise MediaError(f"{path}: no file has such a name; check the folder and the pattern")
    by_number: dict[int, Path] = {}
    for each in found:
        match = pattern and pattern.fullmatch(each.name)
        assert match
        by_number[int(match[1])] = each
    numbers = sorted(by_number)
    step, missing = _missing(numbers)
    if not missing:
        return Stills(tuple(found), numbers[0], step)
    places = range(numbers[0], numbers[-1] + 1, step)
    line = f"{path.name}: {len(missing)} pictures are missing ({_listed(missing)})"
    return Stills(
        tuple(by_number.get(place) for place in places), numbers[0], step,
        (f"{line}; the one before stays",),
    )  # fmt: skip


def _missing(numbers: Sequence[int]) -> tuple[int, list[int]]:
    """The step from number to number, and those that are missing, where these count frames."""
    if len(numbers) < 2:
        return 1, []
    steps = Counter(after - before for before, after in pairwise(numbers))
    step, often = steps.most_common(1)[0]
    places = range(numbers[0], numbers[-1] + 1, step)
    if 2 * often < len(numbers) - 1 or len(places) > 2 * len(numbers):
        return 1, []
    if any(number not in places for number in numbers):
        return 1, []
    there = set(numbers)
    return step, [place for place in places if place not in there]


def _check_one(path: Path, found: Sequence[Path]) -> None:
    """Raise `MediaError` where pictures of several sequences lie in one folder."""
    kinds: dict[str, list[Path]] = {}
    for each in found:
        kinds.setdefault(re.sub(r"\d+", "#", each.name.lower()), []).append(each)
    several = [group for name, group in kinds.items() if "#" in name and len(group) > 1]
    if len(several) > 1:
        told = ", ".join(
            f"{_pattern_of(min(group))!r} ({len(group)})" for group in several[:_NAMED]
        )
        raise MediaError(f"{path}: holds several sequences; name one of them: {told}")


def _pattern_of(path: Path) -> str:
    """The pattern that the name of a picture follows."""
    number = list(re.finditer(r"\d+", path.stem))[-1]
    name = path.name
    return f"{name[: number.start()]}%0{len(number[0])}d{name[number.end() :]}"


def _last_number(name: str) -> str | None:
    numbers = re.findall(r"\d+", Path(name).stem)
    return numbers[-1] if numbers else None


def _listed(things: Sequence[object]) -> str:
    return ", ".join(map(str, things[:_NAMED])) + (", …" if len(things) > _NAMED else "")


def natural(name: str) -> list[tuple[int, str]]:
    """By which 2.jpg comes before 10.jpg."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(each for each in folder.iterdir() if each.name[0] != "." and each.is_file())
    except OSError as error:
        raise MediaError(f"{folder}: cannot be read ({error.strerror}); check the name") from None


def content_hash(path: Path) -> str:
    """The SHA-256 of a file; of a sequence, that of the hashes of its pictures in order.

    Raises:
        MediaError: something is not there or cannot be read.
    """
    if not is_sequence(path):
        return input_hash(path)
    lines = [f"{input_hash(each) if each else ''}\n" for each in stills_of(path).paths]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
