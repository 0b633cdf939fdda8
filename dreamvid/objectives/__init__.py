"""Objectives: what a dream raises. `gains` holds them by name, `goal` puts several together."""

from dreamvid.objectives import gains
from dreamvid.objectives.goal import Goal, Hill
from dreamvid.objectives.registered import (
    ClassLabel,
    Picture,
    PictureSide,
    PictureStay,
    Words,
    objectives,
)
from dreamvid.objectives.terms import absolute, moved_pictures
from dreamvid.objectives.worded import Meant

__all__ = [
    "ClassLabel",
    "Goal",
    "Hill",
    "Meant",
    "Picture",
    "PictureSide",
    "PictureStay",
    "Words",
    "absolute",
    "gains",
    "moved_pictures",
    "objectives",
]
