"""Listening: sound turned into curves that schedules can follow.

A file is decoded to mono at `HERTZ`, from its exact beginning. `heard` keeps of it what belongs to
no frame rate: loudness, bands, notes, onsets and beats. `Soundtrack` gives their values at the
frames of a film.
"""

from dreamvid.audio.decoding import HERTZ
from dreamvid.audio.listening import Heard, heard
from dreamvid.audio.soundtrack import Soundtrack
from dreamvid.audio.tables import read_table

__all__ = ["HERTZ", "Heard", "Soundtrack", "heard", "read_table"]
