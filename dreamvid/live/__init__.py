"""Dreaming in real time: what is captured, what it may cost, where it goes, who controls it."""

from dreamvid.live.running import Asked, live

__all__ = ["Asked", "live"]
