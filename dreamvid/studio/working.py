"""The warm worker: ``python -m dreamvid.studio.working FOLDER`` answers what needs torch.

It reads a line of JSON for each question and writes one for each answer, in their order. A line
that says `enough` gives up the picture that is drawn for the question of that number. It ends when
the server does, for then its input is closed.
"""

import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from dreamvid import media
from dreamvid.errors import DreamvidError, SettingsError, in_one_line
from dreamvid.jobs.configs import read_config
from dreamvid.jobs.folder import Job
from dreamvid.jobs.housekeeping import differing
from dreamvid.jobs.provenance import told_of
from dreamvid.networks import sketch
from dreamvid.settings import Settings, settled
from dreamvid.studio import hearing
from dreamvid.studio.drafts import COMMANDS, Draft, flat, text_of
from dreamvid.studio.items import JOB
from dreamvid.studio.schema import schema
from dreamvid.studio.sketching import SIDE, Sketcher, write_jpeg

CELL = 168
"""The longer side of a cell in a sheet of layers, in pixels."""


class Work:
    """The questions it answers, each a method, with what it keeps between them."""

    def __init__(self, enough: Callable[[], bool] = lambda: False) -> None:
        """`enough` says whether the picture that is drawn now is given up."""
        self.ears = hearing.Ears()
        self.sketcher = Sketcher(self.ears, enough)

    def schema(self) -> dict[str, Any]:
        """Every setting; see `studio.schema`."""
        return schema()

    def check(self, draft: dict[str, Any]) -> dict[str, Any]:
        """The command line of a draft, its base values, and the first thing wrong with it."""
        asked = Draft.read(draft)
        base = asked.base()
        found: dict[str, Any] = {
            "line": asked.line(),
            "toml": asked.toml(),
            "base": flat(base.tree()) | {"network.layers": text_of(base.network.layers)},
            "motion": list(base.motion),
            "error": "",
        }
        try:
            settings = self.ears.hearing(asked.resolved())
            if asked.source and not Path(asked.source).exists():
                raise SettingsError(f"source: {asked.source} is no longer in the folder")
            found |= hearing.checked(asked, settings)
        except DreamvidError as error:
            found["error"] = str(error)
        return found

    def sketch(
        self, draft: dict[str, Any], to: str, seconds: float, side: int = SIDE
    ) -> dict[str, Any]:
        """Write a sketch of a draft."""
        asked, began = Draft.read(draft), time.monotonic()
        frame, about = self.sketcher.sketch(asked, seconds, side)
        write_jpeg(frame, Path(to))
        return {**about, "seconds": round(time.monotonic() - began, 3)}

    def cell(self, draft: dict[str, Any], layer: str, to: str, seconds: float) -> dict[str, Any]:
        """Write a small sketch of a draft that dreams one layer, or one channel, alone."""
        asked = Draft.read(draft)
        settings = {
            name: text
            for name, text in asked.settings.items()
            if name not in ("network.layers", "network.walk", "octaves.layers")
            and not name.startswith("objective.")
        }
        layers = {"network.layers": json.dumps([layer])}
        tree = {**asked.tree(), "settings": {**settings, **layers}}
        return self.sketch(tree, to, seconds, CELL)

    def layers(self, network: str) -> dict[str, Any]:
        """The layers of a network that can be dreamed, and what else they are called."""
        net = sketch(network)
        names = [layer for layer in net.layers if layer != net.head]
        return {"layers": names, "favourite": net.favourite}

    def channels(self, draft: dict[str, Any], layer: str) -> dict[str, Any]:
        """How many channels a layer has."""
        net = self.sketcher.network(Draft.read(draft).resolved())
        (choice,) = net.choices([layer])
        side = max(64, net.smallest_side)
        with torch.no_grad():
            seen = net(torch.zeros(1, 3, side, side, device=net.device), [choice.layer])
        return {"channels": int(seen[choice.layer].shape[1])}

    def curves(self, draft: dict[str, Any], names: list[str]) -> dict[str, Any]:
        """The keys and values of settings that follow schedules."""
        asked = Draft.read(draft)
        settings = self.ears.hearing(asked.resolved())
        film = hearing.span_of(settings)
        values = flat(settings.tree())
        texts = [asked.settings.get(name, values.get(name, "")) for name in names]
        found = hearing.curves(names, texts, film)
        return {"curves": found, "frames": film.frames, "fps": float(film.fps)}

    def music(self, draft: dict[str, Any]) -> dict[str, Any]:
        """The waveform and the beats of a draft's music."""
        return hearing.music(self.ears.hearing(Draft.read(draft).resolved()))

    def kind(self, path: str) -> dict[str, Any]:
        """What an upload is."""
        return hearing.kind_of(Path(path))

    def picture(self, path: str, to: str, side: int) -> dict[str, Any]:
        """Write a picture, or the first frame of a film, as one that every browser shows."""
        from dreamvid.frames import photographic, size_of
        from dreamvid.jobs.seeds import read_seed
        from dreamvid.sizes import parsed_size

        film = not media.is_picture_file(Path(path))
        frame = read_seed(Path(path), "0" if film else None)
        small = parsed_size(min(side, max(size_of(frame))), size_of(frame))
        write_jpeg(photographic(frame, small), Path(to))
        return {}

    def load(self, name: str) -> dict[str, Any]:
        """The draft that makes a film again, read from its job or from itself."""
        path = Path(name)
        job = path.with_name(f"{name}{JOB}")
        if (job / "job.json").exists():
            manifest = Job.open(job).manifest
            kind, tree = manifest.kind, read_config(job, sized=True)
            source = Path(manifest.source.get("path") or "").name or None
            at = manifest.source.get("at")
        else:
            tree = read_config(path, sized=True)
            kind, _, _ = told_of(media.read_metadata(path))
            source, at = None, None
        settings = settled(tree)
        kind = kind if kind in COMMANDS else "image"
        missing = source is None or not Path(source).exists()
        draft = {"command": kind, "preset": "default", "source": None if missing else source}
        draft |= {"at": at, "motion": list(settings.motion), "out": None}
        return {"draft": {**draft, "settings": self._changed(settings, kind, draft)}}

    def _changed(self, settings: Settings, kind: str, draft: dict[str, Any]) -> dict[str, str]:
        """The settings in which a film differs from the preset `default`, as texts."""
        base = flat(Draft.read({**draft, "source": None}).base().tree())
        own = flat(settings.tree()) | {
            name: text_of(value if not isinstance(value, dict) else dict(value))
            for name, value in differing(settings)
            if not name.startswith("motion.")
        }
        changed = {}
        for name, text in own.items():
            section = name.partition(".")[0]
            if text == base.get(name, "") or section in ("machine", "encode", "plugins", "music"):
                continue
            if section == "motion" and kind not in ("zoom", "loop"):
                continue
            changed[name] = _local(text)
        return _effective(kind, changed)


def _effective(kind: str, changed: dict[str, str]) -> dict[str, str]:
    """Those of the settings that change anything in a command."""
    from dreamvid.studio.schema import commands_of

    return {name: text for name, text in changed.items() if kind in commands_of(name)}


def _local(text: str) -> str:
    """A file of the folder by its name alone; other texts as they are."""
    here = f"{Path.cwd()}/"
    return text.replace(here, "") if here in text else text


def answer(work: Work, question: dict[str, Any]) -> dict[str, Any]:
    """What is to be said to a question; an `error` where it cannot be answered."""
    what = question.pop("what", "")
    asked: Callable[..., dict[str, Any]] | None = getattr(work, str(what), None)
    if asked is None or what.startswith("_"):
        return {"error": f"no question {what!r}"}
    try:
        return {"answer": asked(**question)}
    except DreamvidError as error:
        return {"error": in_one_line(error)}
    except Exception as error:
        traceback.print_exc()
        return {"error": f"{type(error).__name__}: {' '.join(str(error).split())}"}


class Questions:
    """The questions as they come; read beside the answers, so that one can be given up."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = lines
        self._come: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._now, self._enough = -1, -1
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.lines:
            tree = json.loads(line)
            if "enough" in tree:
                self._enough = tree["enough"]
            else:
                self._come.put(tree)
        self._come.put(None)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Each question until the input ends."""
        while (tree := self._come.get()) is not None:
            self._now = tree.pop("number", -1)
            yield tree

    def enough(self) -> bool:
        """Whether the question that is answered now is given up."""
        return self._now == self._enough >= 0


def main() -> None:
    """Answer until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What libraries print must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    questions = Questions(sys.stdin)
    work = Work(questions.enough)
    for question in questions:
        answers.write(json.dumps(answer(work, question), default=str) + "\n")
        answers.flush()


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    main()
