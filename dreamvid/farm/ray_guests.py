"""Actors that see no folder of the plan: units come to them by content, and frames go back."""

import importlib
import os
import threading
import time
from collections.abc import Iterator, Mapping
from queue import Queue
from typing import Any

from dreamvid import __version__
from dreamvid.errors import StorageError
from dreamvid.farm.making import Maker
from dreamvid.farm.parcels import Fresh, Parcel, Scratch
from dreamvid.farm.plans import Plan
from dreamvid.farm.working import FAILED, OWN, REFUSED, reason_of

AHEAD = 8
"""Frames that may wait to be fetched from an actor, before it waits itself."""
SAID, FRAME, FILM, END = "said", "frame", "film", "end"
Word = tuple[Any, ...]
"""What an actor has to say: one of the above, REFUSED or FAILED, and what belongs to it."""


class Guest:
    """An actor with a folder of its own, which holds its networks from unit to unit."""

    def __init__(self, plan: Plan, version: str, name: str) -> None:
        self.name, self.fault, self.host = name, "", os.uname().nodename
        os.environ["OMP_NUM_THREADS"] = str(plan.threads)
        if version != __version__:
            self.fault = (
                f"{self.host}: has dreamvid {__version__}, and the plan is of {version}; install "
                "the same on all machines"
            )
        self.scratch = Scratch(plan, importlib.import_module("ray").get)
        self.maker = Maker(self.scratch.plan)

    def __repr__(self) -> str:
        return self.name

    def ready(self) -> str:
        """What is wrong with this actor; empty where nothing is."""
        return self.fault

    def process(self) -> int:
        """Its process."""
        return os.getpid()

    def make(self, parcel: Parcel) -> Iterator[Word]:
        """Make a unit; each frame is given as soon as it is whole."""
        words: Queue[Word | None] = Queue(AHEAD)
        thread = threading.Thread(target=self._made, args=(parcel, words), daemon=True)
        thread.start()
        while word := words.get():
            yield word
        thread.join()

    def leave(self) -> None:
        """Remove what there is here."""
        self.scratch.remove()

    def _made(self, parcel: Parcel, words: "Queue[Word | None]") -> None:
        sender, began = _Sender(self.scratch, parcel, words), time.monotonic()
        try:
            self.maker.plan, unit = self.scratch.unpacked(parcel)
            self.maker.progress = sender
            sender.fresh = Fresh(self.maker.folder(unit))
            told = dict(self.maker.make(unit))
            for word in self.scratch.results():
                words.put((FILM, *word))
            if "left_out" in told:
                told["left_out"] = [self.scratch.told(each, parcel) for each in told["left_out"]]
            words.put((END, {**told, "seconds": round(time.monotonic() - began, 3)}))
        except Exception as error:
            mine = isinstance(error, StorageError) or (isinstance(error, OWN) and not sender.made)
            reason = self.scratch.told(reason_of(error), parcel)
            words.put((REFUSED if mine else FAILED, f"{self.host}: {reason}"))
        finally:
            self.scratch.clear()
            words.put(None)


class _Sender:
    """A `Progress` that sends what has become whole."""

    def __init__(self, scratch: Scratch, parcel: Parcel, words: "Queue[Word | None]") -> None:
        self.scratch, self.parcel, self.words = scratch, parcel, words
        self.fresh: Fresh | None = None
        self.made = 0

    def say(self, text: str) -> None:
        """A line worth knowing."""
        self.words.put((SAID, self.scratch.told(text, self.parcel)))

    def begin(self, done: int, total: int) -> None:
        """What is there already came from the driver."""

    def frame(self, index: int, notes: Mapping[str, Any]) -> None:
        """Send the frames that are whole now."""
        for each in self.fresh() if self.fresh else ():
            self.words.put((FRAME, *each))
            self.made += 1

    def ask(self, question: str) -> bool:
        """Nobody can be asked."""
        return True
