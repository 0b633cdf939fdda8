"""Shots: jobs that make some of a film's frames, under the numbers that these have in the film."""

from collections.abc import Mapping
from pathlib import Path

from dreamvid.errors import ResumeError

SHOT = "shot"
"""What a job's source calls the frames that it makes, as BEGIN:END; a whole film has no such."""


def told(frames: range) -> str:
    """A range of frames as a job records it."""
    return f"{frames.start}:{frames.stop}"


def frames_of(source: Mapping[str, str], length: int) -> range:
    """The frames that a job makes of a film of so many."""
    if SHOT not in source:
        return range(length)
    begin, _, end = source[SHOT].partition(":")
    return range(int(begin), int(end))


def first_of(source: Mapping[str, str]) -> int:
    """The first frame that a job makes."""
    return frames_of(source, 0).start


def plan_of(folder: Path, source: Mapping[str, str]) -> Path | None:
    """The plan that a job in `folder` is a part of; None where it makes a whole film."""
    return folder.absolute().parents[1] if SHOT in source else None


def must_be_whole(folder: Path, source: Mapping[str, str]) -> None:
    """Raise `ResumeError` where a job makes a part of a film only."""
    if plan := plan_of(folder, source):
        raise ResumeError(
            f"{folder}: makes frames {source[SHOT]} of a film; go on with `dreamvid work {plan}`, "
            "which joins them"
        )
