"""The live dream's own process: ``python -m dreamvid.studio.performing FOLDER``, in the folder.

It shows its picture on a port of this machine to those who have the key in ``status.json``, and
hears words there.
"""

import functools
import secrets
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from dreamvid.sizes import parsed_size
from dreamvid.studio.performances import SIZE, Performance
from dreamvid.studio.places import Place
from dreamvid.studio.records import read
from dreamvid.studio.telling import Told, lived


class LiveTold(Told):
    """Writes down how a live dream goes."""

    often = 0.4

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.frames = self.before = 0

    def watch(self, show: Any, captured: int) -> None:
        """One more frame was shown."""
        self.frames += 1
        if self.is_due:
            rate = (self.frames - self.before) / (time.monotonic() - self.wrote)
            self.before = self.frames
            told = {"frames": self.frames, "captured": captured, "rate": round(rate, 1)}
            self.write(phase="running", **told, **show.state())


def performed(place: Place, told: LiveTold) -> None:
    """Dream what was asked for until its source ends or a signal comes."""
    asked = Performance.read(read(place.live / "asked.json"))
    running, dreaming = (import_module("dreamvid.live.running"),
                         import_module("dreamvid.live.dreaming"))  # fmt: skip

    def settings_of(name: str):
        return dreaming.with_usual_dream(asked.settings_of(name), told.say)

    settings = settings_of(asked.presets[0])
    shape = import_module("dreamvid.live.capture").shape_of(asked.source)
    presets = {name: functools.partial(settings_of, name) for name in asked.presets}
    size, fps = parsed_size(settings.film.size or SIZE, shape), float(settings.film.rate)
    wanted = running.Asked(asked.source, settings, size, fps, presets)
    post = import_module("dreamvid.live.control").Post()
    key = secrets.token_urlsafe(18)
    page = import_module("dreamvid.live.page").Page(0, key=key, post=post)
    controls = []
    if asked.osc is not None:
        controls.append(import_module("dreamvid.live.osc").OscServer(asked.osc, post))
        told.write(osc=controls[0].port)
    told.write(port=page.port, key=key, size=str(size))
    ended = running.live(wanted, [page], controls, post, progress=told, watch=told.watch)
    told.say(str(ended))


def main(folder: str) -> int:
    """Dream live in a folder; the exit status."""
    place = Place(Path(folder))
    return lived(place.live, LiveTold, functools.partial(performed, place))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
