"""Objectives: what a dream raises. `gains` holds them by name, `goal` puts several together."""

from dreamvid.objectives.gains import objectives
from dreamvid.objectives.goal import Goal, Hill
from dreamvid.objectives.terms import absolute

__all__ = ["Goal", "Hill", "absolute", "objectives"]
