"""Every setting, its default and its range."""

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Annotated, Any, Literal

from dreamvid.registry import Fraction01, Within
from dreamvid.schedules import Music
from dreamvid.settings.film_sections import (
    AudioSettings,
    FilmSettings,
    LoopSettings,
    PictureSettings,
    VideoSettings,
)
from dreamvid.sizes import Duration, Size

Tree = dict[str, Any]

FILM_SIDE = 640
"""The longer side of a film for which no size is asked."""
CELL_SIDE = "320"
"""The longer side of a sheet's cell for which no size is asked."""


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """Which network dreams, and of what."""

    name: str = "pocket"
    """A network, or several, comma-separated, that dream together."""
    weights: str | tuple[str, ...] | None = ()
    """Weights files: FILE, or NETWORK=FILE for several networks; none: each network's own."""
    layers: tuple[str, ...] = ()
    """Selectors: name, name=weight, name:channel, number or glob; none: the network's own.

    With several networks, each begins with its network's name and a slash.
    """
    options: dict[str, Any] | None = None
    """Options of networks that have any: a table for each, by the network's name."""
    walk: tuple[str, ...] = ()
    """Selectors instead of `layers`: each frame dreams the next one, and then the first again."""
    wander: Annotated[float, Within(0, 3600)] = 0.0
    """Seconds from one channel to the next in a zoom or a loop, where no layers are asked for; 0:
    all channels at once."""
    at_once: Annotated[int, Within(1, 16)] = 1
    """With `wander`: how many channels share the picture at a time, each on a walk of its own."""


@dataclass(frozen=True, kw_only=True)
class OctaveSettings:
    """The pyramid of sizes that a frame is dreamed at, smallest first."""

    count: Annotated[int, Within(1, 20)] = 4
    """How many sizes; more of them give larger shapes."""
    smallest: Annotated[int, Within(0, 65536)] = 0
    """About how many pixels the shorter side of the smallest size has. There are then as many sizes
    as that takes, so that a small film and a large one show the same things; 0: `count` says."""
    scale: Annotated[float, Within(1.01, 8)] = 1.4
    """How much larger each size is than the one before; more gives larger shapes, fewer between."""
    sizes: Literal["cascaded", "rounded", "truncated"] = "cascaded"
    """cascaded: each from the next larger, rounded. rounded: each from the largest, rounded.
    truncated: each from the next larger, rounded down."""
    enlarge: Literal["detail", "whole", "merged"] = "detail"
    """What is enlarged to the next octave. detail: only what the dream added. whole: the dreamed
    picture. merged: the dreamed picture, blended with the original."""
    alpha: Fraction01 = 0.5
    """With ``merged``: the original's share where the enlarged dream is merged with it."""
    align: Literal["corners", "centres"] = "corners"
    """corners: a resized picture's corner pixels stay in the corners. centres: pixels are small
    squares, and the picture's edges stay in place."""
    blur: Annotated[float, Within(0, 16)] = 0.0
    """Gaussian blur before a picture is made smaller: its standard deviation in pixels; 0: none."""
    passes: Annotated[int, Within(1, 1000)] = 1
    """How often the whole pyramid is climbed."""
    later: Literal["all", "alternate"] = "all"
    """On frames that start from a dream. all: every octave is dreamed. alternate: the largest one
    is; each of the others at every third frame, by larger steps."""
    layers: tuple[tuple[str, ...], ...] = ()
    """Selectors for each octave, smallest first, instead of the network's `layers`."""
    weights: tuple[Annotated[float, Within(-100, 100, scheduled=True)], ...] = ()
    """Factors of the octaves' step sizes, smallest octave first; 1 where none is given."""


@dataclass(frozen=True, kw_only=True)
class AscentSettings:
    """Gradient ascent at each octave.

    `iterations` and `step_size` may be lists: a value for each octave, smallest first. If a list
    has more values than there are octaves, its last values are used.
    """

    iterations: (
        tuple[Annotated[int, Within(0, 10000)], ...]
        | Annotated[int, Within(0, 10000, scheduled=True)]
    ) = 10
    """Gradient steps at each octave; more of them dream more strongly, and take longer."""
    later: Annotated[int, Within(0, 10000, scheduled=True)] | None = None
    """Iterations on frames that start from a dream, which is how fast a film changes; as many as on
    the first when unset."""
    step_size: (
        tuple[Annotated[float, Within(-1000, 1000)], ...]
        | Annotated[float, Within(-1000, 1000, scheduled=True)]
    ) = 1.5
    """How far a step goes, in 8-bit levels; larger is stronger and coarser, below 0 undoes."""
    later_step_size: Annotated[float, Within(-1000, 1000, scheduled=True)] | None = None
    """On frames that start from a dream; `later_factor` says it when unset."""
    later_factor: Annotated[float, Within(0, 100, scheduled=True)] = 1.0
    """How many times as far a step goes on frames that start from a dream as on the first."""
    strength: Annotated[float, Within(0, 100, scheduled=True)] = 1.0
    """How far all steps of a dream go together, whatever the preset: its square root is a factor of
    their number and of their size; more is more dream."""
    jitter: Annotated[int, Within(0, 1024, scheduled=True)] = 32
    """Largest roll before each step, in pixels; larger hides seams and grids better."""
    smoothing: Annotated[float, Within(0, 64, scheduled=True)] = 0.0
    """Cascade Gaussian smoothing of the gradient: the cascade's first width; 0 is none."""
    gaussian: Annotated[float, Within(0, 64)] = 0.0
    """Gaussian smoothing of the gradient: its standard deviation in pixels; 0 is none."""
    laplacian: Annotated[int, Within(0, 16)] = 0
    """How often the gradient is split into a Laplacian pyramid, whose levels then get equal
    strength; 0 is never."""
    normalise: Literal["mean", "deviation", "none"] = "mean"
    """What the gradient is divided by, after smoothing. mean: the mean of its absolute values.
    deviation: its standard deviation. none: nothing."""
    update: Literal["plain", "momentum", "adam"] = "plain"
    """How gradients become steps. Momentum and Adam begin anew at each octave."""
    momentum: Annotated[float, Within(0, 0.9999)] = 0.9
    """With ``momentum``: the share of the last step that is added to this one."""
    clamp: bool = True
    """Keep every step within what a picture can hold."""
    blur: Annotated[float, Within(0, 64)] = 0.0
    """Gaussian blur of the picture after every step, in pixels, against sparkle; 0 is none."""


@dataclass(frozen=True, kw_only=True)
class TurboSettings:
    """Dreaming in one pass."""

    dream: str = "ascent"
    """ascent: steps of gradient ascent. turbo: one pass of a small network inside the package.
    A file that `dreamvid turbo` made: one pass of that network."""
    refine: Annotated[int, Within(0, 1000)] = 0
    """With a turbo network: steps of ascent after it, at each octave."""


@dataclass(frozen=True, kw_only=True)
class MachineSettings:
    """Where and how precisely the dream is computed."""

    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps; auto is a GPU where there is one."""
    precision: Literal["auto", "fp64", "fp32", "bf16", "fp16"] = "auto"
    """Of the network: bf16 is fastest where the device has it, fp16 on older NVIDIA GPUs. fp64 is
    for comparisons."""
    kernels: Literal["auto", "plain"] = "auto"
    """auto runs on kernels of our own where this machine can and they agree with torch's; plain
    runs on torch's own."""
    threads: Annotated[int, Within(0, 1024)] = 0
    """Processor threads; 0 is as many as a picture's size is worth, at most one for each core."""
    tile: Annotated[int, Within(0, 65536)] = 0
    """Largest side in pixels of what is dreamed at once; 0 is as large as memory allows."""
    min_free: int | str = "200MB"
    """A film stops, and can be resumed, before its disk has less than this free; 0: never."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings. Those that are trees hold options of registered functions.

    Where a number may follow a schedule, the schedule is kept here as it was written.
    `timeline.Timeline` gives the number at each frame.
    """

    network: NetworkSettings = field(default_factory=NetworkSettings)
    objective: Tree = field(default_factory=lambda: {"name": "energy"})
    octaves: OctaveSettings = field(default_factory=OctaveSettings)
    ascent: AscentSettings = field(default_factory=AscentSettings)
    space: Tree = field(default_factory=lambda: {"name": "pixels"})
    motion: Tree = field(default_factory=dict)
    """Motions by name, in the order they are applied, each with its options."""
    carry: Tree = field(default_factory=lambda: {"name": "flow"})
    flow: Tree = field(default_factory=lambda: {"name": "dis"})
    film: FilmSettings = field(default_factory=FilmSettings)
    picture: PictureSettings = field(default_factory=PictureSettings)
    video: VideoSettings = field(default_factory=VideoSettings)
    loop: LoopSettings = field(default_factory=LoopSettings)
    audio: AudioSettings = field(default_factory=AudioSettings)
    turbo: TurboSettings = field(default_factory=TurboSettings)
    machine: MachineSettings = field(default_factory=MachineSettings)
    encode: Tree = field(default_factory=dict)
    plugins: tuple[str, ...] = ()
    """Files that add to what can be chosen, by their absolute paths."""
    music: Music | None = field(default=None, compare=False, repr=False)
    """What was heard in the files of `audio`, for schedules; no setting, and kept by the job."""

    def tree(self) -> Tree:
        """The settings as a tree of plain JSON values, which `settled` takes back."""
        tree = asdict(replace(self, music=None))
        del tree["music"]
        # What is not there is not mentioned: a film without it is the same file as ever.
        if not self.network.options:
            del tree["network"]["options"]
        if self.space == {"name": "pixels"}:
            del tree["space"]
        if self.picture == PictureSettings():
            del tree["picture"]
        if self.audio == AudioSettings():
            del tree["audio"]
        if self.turbo == TurboSettings():
            del tree["turbo"]
        if self.machine.kernels == MachineSettings.kernels:
            del tree["machine"]["kernels"]
        if self.video.sound_track is None:
            del tree["video"]["sound_track"]
        if self.video.bars == VideoSettings.bars:
            del tree["video"]["bars"]
        if not self.plugins:
            del tree["plugins"]
        for name in ("fit", "padding"):
            if tree["film"][name] == getattr(FilmSettings, name):
                del tree["film"][name]
        if isinstance(self.film.size, Size):
            tree["film"]["size"] = str(self.film.size)
        if not self.network.wander:
            del tree["network"]["wander"]
        if self.network.at_once == NetworkSettings.at_once:
            del tree["network"]["at_once"]
        if not self.octaves.smallest:
            del tree["octaves"]["smallest"]
        if self.octaves.later == OctaveSettings.later:
            del tree["octaves"]["later"]
        if self.ascent.strength == 1:
            del tree["ascent"]["strength"]
        if self.film.speed == 1:
            del tree["film"]["speed"]
        for name in ("frames", "fade_in", "fade_out"):
            value = getattr(self.film, name)
            if isinstance(value, Duration):
                tree["film"][name] = str(value)
            elif not value and name != "frames":
                del tree["film"][name]
        return json.loads(json.dumps(tree, default=str))

    def changed(self, section: str, **values: Any) -> "Settings":
        """A copy with some values of one section replaced."""
        return replace(self, **{section: replace(getattr(self, section), **values)})


SECTIONS: dict[str, Any] = {
    "network": NetworkSettings,
    "octaves": OctaveSettings,
    "ascent": AscentSettings,
    "film": FilmSettings,
    "picture": PictureSettings,
    "video": VideoSettings,
    "loop": LoopSettings,
    "audio": AudioSettings,
    "turbo": TurboSettings,
    "machine": MachineSettings,
}
NAMED_SECTIONS = {"objective": "energy", "space": "pixels", "carry": "flow", "flow": "dis"}
"""Sections that hold the name and options of one registered function, and its default name."""
OPEN_SECTIONS = (*NAMED_SECTIONS, "motion", "encode")
PLUGINS = "plugins"
"""The key of a tree that is no section: files that add to what can be chosen."""
UNPAINTED = (
    "film.frames",
    "film.fade_in",
    "film.fade_out",
    "machine.device",
    "machine.kernels",
    "machine.threads",
    "machine.tile",
    "machine.min_free",
    "network.weights",
    "encode",
    "audio.files",
    "loop.turns",
    "video.strict",
    "video.sound",
    "video.sound_track",
    "video.mask",
    PLUGINS,
)
"""Settings that change no pixel of a frame, or that a job records in another way."""
