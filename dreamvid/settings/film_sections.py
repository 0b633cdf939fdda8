"""The settings of films and of what they are made from."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal

from dreamvid.errors import SettingsError
from dreamvid.registry import Fraction01, Within
from dreamvid.sizes import Duration, Size

FRAMES = 300
FPS = Fraction(30)


@dataclass(frozen=True, kw_only=True)
class FilmSettings:
    """The film as a whole."""

    frames: Duration | Annotated[int, Within(1, 10_000_000)] | None = None
    """A number, or a length such as 10s; none: 300, or as many as the input film has."""
    fps: Annotated[Fraction, Within(Fraction(1, 10), 1000)] | None = None
    """None: 30, or the input film's own."""
    size: Size | int | str | None = None
    """WxH, the longer side in pixels, or one side as 1920x or x1080; none: 640 for a film, a
    picture's own for a picture."""
    fit: Literal["crop", "pad", "stretch"] = "crop"
    """Where the input has another shape: its edges are cut off, more is put around it, or it is
    stretched."""
    padding: Literal["blurred", "black"] = "blurred"
    """What `pad` puts around the input: the input itself, enlarged and blurred, or black."""
    depth: Literal[8, 16] = 8
    """Bits a channel of the frames on disk."""
    seed: Annotated[int, Within(0, 2**63 - 1)] = 0
    """Another number gives another dream."""
    cadence: Annotated[int, Within(1, 1000)] = 1
    """One of every `cadence` frames is dreamed; the frames between are moved and blended."""
    anchor: Fraction01 = 0.3
    """How much of the drift in brightness, contrast and saturation is undone each second."""
    speed: Annotated[float, Within(-100, 100)] = 1.0
    """A factor of all rates of the motions, whatever the preset; below 0 they run backward."""
    fade_in: Duration | Annotated[int, Within(0, 10_000_000)] = 0
    """How long the input melts into the dream at the film's beginning: 3s, or frames; 0: not."""
    fade_out: Duration | Annotated[int, Within(0, 10_000_000)] = 0
    """How long the dream melts back into the input at the film's end."""

    @property
    def pixels(self) -> Size:
        """The size of a film whose size is settled."""
        if not isinstance(self.size, Size):
            raise SettingsError(f"film.size: got {self.size!r}, expected WxH")
        return self.size

    @property
    def length(self) -> int:
        """In frames."""
        if isinstance(self.frames, Duration):
            return self.frames.frames(self.rate)
        return FRAMES if self.frames is None else self.frames

    @property
    def fades(self) -> tuple[int, int]:
        """Of the beginning and of the end, in frames."""
        begin, end = (
            each.frames(self.rate) if isinstance(each, Duration) else each
            for each in (self.fade_in, self.fade_out)
        )
        return begin, end

    @property
    def rate(self) -> Fraction:
        """In frames a second."""
        return FPS if self.fps is None else self.fps


@dataclass(frozen=True, kw_only=True)
class AudioSettings:
    """Music that a film follows, and that is heard in it."""

    files: tuple[str, ...] = ()
    """FILE is the song, STEM=FILE a part of it alone, and NAME=FILE.csv a curve of your own. The
    first one that is no CSV is heard; none: of a film dreamed over, its own sound."""
    offset: Annotated[float, Within(-86400, 86400)] = 0.0
    """Where in the music the film begins, in seconds; below 0 the film begins before it."""
    bpm: Annotated[float, Within(20, 400)] | None = None
    """The tempo, in beats a minute; none: as it is heard."""
    beat_offset: Annotated[float, Within(-86400, 86400)] | None = None
    """Where in the music a bar begins, in seconds; none: as it is heard."""
    meter: Annotated[int, Within(1, 64)] = 4
    """Beats of a bar."""
    flashes: bool = False
    """Allow more than three flashes a second over a quarter of the picture."""


@dataclass(frozen=True, kw_only=True)
class LoopSettings:
    """How a loop is closed."""

    closing: Literal["planting", "relaxation"] = "planting"
    """How the end of a loop changes into its beginning: patch by patch (planting), or the whole
    picture at once (relaxation)."""
    turns: Annotated[int, Within(2, 100)] = 3
    """The most turns of a loop, counting the first, in which the dream settles."""
    breath: Fraction01 | None = None
    """How much of a slow walk through noise is mixed into the start of each frame. The walk ends
    where it began. none: 0.15 if nothing moves, otherwise 0. In a zoom, how much of the picture
    itself comes back; none: 0.05 if nothing moves, where the dream goes through channels too."""


@dataclass(frozen=True, kw_only=True)
class PictureSettings:
    """Pictures and films with transparent pixels."""

    background: str | None = None
    """What shows through them: white, #fff; none: black, or what the picture shows on."""
    keep_alpha: bool = False
    """Keep the transparency of a picture in its dream."""


@dataclass(frozen=True, kw_only=True)
class VideoSettings:
    """Dreaming over a film."""

    start: int | str = 0
    """The first frame to dream over, or its time: 120, 2.5s, 1:02.5."""
    end: int | str | None = None
    """Stop before this frame or time; none: the film's end."""
    strict: bool = False
    """Refuse a damaged film instead of dreaming over the frames that can be read."""
    sound: bool = True
    """Keep the film's sound."""
    sound_track: Annotated[int, Within(1, 100)] | None = None
    """Which of several sounds is kept, from 1 on; none: the film's default one."""
    bars: Literal["keep", "dream"] = "keep"
    """Whether black bars around the film's picture stay as they are or are dreamed over."""
    mask: Path | None = None
    """A picture or a film: white dreams, black stays."""
    mask_follows: bool = True
    """Whether a mask that is a picture moves with what it lies on."""
    keep_color: bool = False
    """The dream's brightness in the film's own colours."""
