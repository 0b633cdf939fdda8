"""What is asked of a live dream on the page: its source, its presets in turn, a few settings."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from dreamvid.errors import SettingsError
from dreamvid.settings import Settings, Tree, assigned, presets
from dreamvid.studio.drafts import are_texts, known_preset, must_have_keys, read_settings
from dreamvid.studio.places import is_plain

SCREEN = "screen"
FPS, SIZE = "15", "480"
"""What is held where nothing else is asked for, as `dreamvid live` does."""
MOST = 20
"""The most presets."""


@dataclass(frozen=True)
class Performance:
    """What is to be dreamed live."""

    source: str = "0"
    """A camera's number, ``screen``, or a film of the folder by its name."""
    presets: tuple[str, ...] = ("default",)
    """It begins with the first; `next` goes to the next one."""
    settings: Mapping[str, str] = field(default_factory=dict)
    osc: int | None = None
    """The port at which it listens to OSC; 0 is any that is free, None is none."""

    @classmethod
    def read(cls, tree: Any) -> Self:
        """What is asked for, from JSON, or a `SettingsError` that says what cannot be."""
        must_have_keys(tree, cls.__dataclass_fields__, "live")
        source, names, osc = tree.get("source", "0"), tree.get("presets"), tree.get("osc")
        if not isinstance(source, str) or not (_is_device(source) or is_plain(source)):
            raise SettingsError("source: expected a camera's number, screen, or a film here")
        if not names or not are_texts(names) or len(names) > MOST:
            raise SettingsError(f"presets: expected a list of 1 to {MOST} names")
        if osc is not None and (type(osc) is not int or not 0 <= osc <= 65535):
            raise SettingsError(f"osc: got {str(osc)[:40]!r}, expected a port from 0 to 65535")
        wanted = tuple(dict.fromkeys(map(known_preset, names)))
        asked = cls(source, wanted, read_settings(tree.get("settings") or {}), osc)
        for name in wanted:
            asked.settings_of(name)
        return asked

    @property
    def is_of_device(self) -> bool:
        """Whether it takes pictures with this machine's camera, or of its screen."""
        return _is_device(self.source)

    def tree(self) -> Tree:
        """As JSON, which `read` takes back."""
        return json.loads(json.dumps(asdict(self)))

    def settings_of(self, preset: str) -> Settings:
        """All settings under one of its presets."""
        texts = {"film.size": SIZE, "film.fps": FPS, **self.settings}
        chosen = assigned([f"{name}={text}" for name, text in texts.items()])
        return presets.settings_over(preset, {}, {}, chosen)


def _is_device(source: str) -> bool:
    return source == SCREEN or re.fullmatch("[0-9]{1,2}", source) is not None
