"""The registry of encoders, and what one tells of itself.

An encoder is one registered function whose options are its keyword-only parameters and which
gives back an `Encoding`. Its name is the suffix it answers to, except `frames`: pictures.
"""

from dataclasses import dataclass, field

from dreamvid.frames import Size
from dreamvid.media.keeping import Keeps
from dreamvid.media.sound import SoundFormat
from dreamvid.registry import Registry

encoders = Registry("encoder")
PIPE = "-"
"""The name of an output that goes to standard output, and of an input that comes from there."""


@dataclass(frozen=True)
class Encoding:
    """How frames become a file.

    Attributes:
        arguments: ffmpeg's output options; none where the output is pictures.
        block: the height and width that the sides of a film must be multiples of.
        depth: bits a channel that the encoder is given; None: as many as the frames have.
        fastest: frames a second beyond which players slow the film down.
        limit: frames a second that it can have at most.
        largest: the height and width that its pictures can have at most.
        smallest: those that they must have at least.
        otherwise: ffmpeg's output options for films that are smaller; none where there are none.
        sound: what the container takes; None where it has no sound.
        small: ffmpeg's output options for films of fewer than 720 lines, where they are others.
        first: the number of the first picture; None: that of the source's own.
        keeps: what else of the input the container can hold, see `keeping`.
    """

    arguments: tuple[str, ...] = ()
    block: Size = Size(1, 1)  # noqa: RUF009 - a tuple
    depth: int | None = 8
    fastest: int | None = None
    limit: int | None = None
    largest: Size | None = None
    smallest: Size | None = None
    otherwise: tuple[str, ...] = ()
    sound: SoundFormat | None = None
    small: tuple[str, ...] = ()
    first: int | None = None
    keeps: Keeps = field(default_factory=Keeps)

    def is_too_small(self, size: Size) -> bool:
        """Whether `arguments` cannot hold a film of that size."""
        least = self.smallest or Size(1, 1)
        return size.height < least.height or size.width < least.width

    def arguments_for(self, size: Size) -> tuple[str, ...]:
        """Ffmpeg's output options for a film of that size."""
        if self.otherwise and self.is_too_small(size):
            return self.otherwise
        return self.small if self.small and size.height < 720 else self.arguments
