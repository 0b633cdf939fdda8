"""What plugins are made of: the one place that a plugin's file needs to import from.

A plugin is a Python file of one's own. It is given with ``--plugin FILE.py``, or by
``plugins = ["FILE.py"]`` in a settings file, or it is installed with an entry point in the group
``dreamvid.plugins``::

    from dreamvid.plugins import motion

    @motion
    def drift(points, clock, size, *, rate: float = 0.1):
        "Move the content to the right, `rate` widths a second."
        ...

Each decorator makes a function known by its own name. Its positional parameters are those given
below; its keyword-only parameters, each with a type, are its options; its docstring is its line in
``dreamvid list``. What is wrong is said when it is registered, as a `SettingsError`.

- `motion`: ``(points, clock, size) -> points``, see `dreamvid.motion.motions`;
- `objective`: any of ``activation``, ``image``, … to a gain for each picture, see
  `dreamvid.objectives.registered`;
- `space`: ``(pictures, key) -> Space``, see `dreamvid.dream.spaces.registered`;
- `carry`: ``(situation) -> Start``, see `dreamvid.film.carries`;
- `flow`: ``(now, then) -> Flow``, see `dreamvid.motion.optical_flow`;
- `encoder`: ``() -> Encoding``; its name is the suffix it answers to;
- `network`: ``(*, weights: Path | None = None) -> Network``, see `dreamvid.networks.registered`;
- `presets`: not a decorator, but takes a folder of ``.toml`` files.
"""

from dreamvid.dream.spaces import Space, Views, spaces
from dreamvid.film.carries import Situation, Start, carries
from dreamvid.frames import Clock, Flow, Frame, Size
from dreamvid.media.encoders import Encoding, encoders
from dreamvid.media.sound import SoundFormat
from dreamvid.motion.motions import motions
from dreamvid.motion.optical_flow import flows
from dreamvid.networks import Network, Preprocessing, networks
from dreamvid.networks.weights import Source
from dreamvid.objectives import (
    ClassLabel,
    Meant,
    Picture,
    PictureSide,
    PictureStay,
    Words,
    objectives,
)
from dreamvid.registry import Within
from dreamvid.settings.plugin_loading import add_presets as presets

__all__ = [
    "ClassLabel",
    "Clock",
    "Encoding",
    "Flow",
    "Frame",
    "Meant",
    "Network",
    "Picture",
    "PictureSide",
    "PictureStay",
    "Preprocessing",
    "Situation",
    "Size",
    "SoundFormat",
    "Source",
    "Space",
    "Start",
    "Views",
    "Within",
    "Words",
    "carry",
    "encoder",
    "flow",
    "motion",
    "network",
    "objective",
    "presets",
    "space",
]

motion = motions.register
space = spaces.register
objective = objectives.register
carry = carries.register
flow = flows.register
encoder = encoders.register
network = networks.register
