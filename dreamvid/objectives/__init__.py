"""Objectives: what a dream raises. `gains` holds them by name, `goal` puts several together."""

from dreamvid.objectives import gains
from dreamvid.objectives.goal import Goal, Hill
from dreamvid.objectives.registered import ClassLabel, Picture, PictureSide, objectives
from dreamvid.objectives.terms import absolute, moved_pictures

__all__ = [
    "ClassLabel",
    "Goal",
    "Hill",
    "Picture",
    "PictureSide",
    "absolute",
    "gains",
    "moved_pictures",
    "objectives",
]
