"""How content moves: motions by formula, optical flow from films, and the one warp."""

from dreamvid.motion import camera

__all__ = ["camera"]
