"""Pictures and films, in and out: the only door to ffmpeg and to image files."""

from dreamvid.media.atomic import atomic_write, storage_checked, storage_error
from dreamvid.media.backgrounds import BLACK, colour_of
from dreamvid.media.encoding import encode
from dreamvid.media.ffmpeg import check_ffmpeg, lacking
from dreamvid.media.films import check_whole, decoded, picture_at, probe
from dreamvid.media.formats import LARGEST_PICTURE, SMALLEST_SIDE, is_picture_file
from dreamvid.media.keeping import Extras
from dreamvid.media.metadata import read_metadata
from dreamvid.media.picture_sizes import picture_size
from dreamvid.media.pictures import is_picture, is_still, read_alpha, read_picture
from dreamvid.media.probing import Film
from dreamvid.media.readback import frames_of
from dreamvid.media.sequences import (
    content_hash,
    is_sequence,
    natural,
    of_pattern,
    plain_name,
    stills_of,
)
from dreamvid.media.sound import Sound, SoundFormat, check_sound
from dreamvid.media.streams import heard
from dreamvid.media.writing import (
    WRITE_FORMATS,
    frame_bytes,
    read_pixels,
    read_png,
    write_picture,
)

__all__ = [
    "BLACK",
    "LARGEST_PICTURE",
    "SMALLEST_SIDE",
    "WRITE_FORMATS",
    "Extras",
    "Film",
    "Sound",
    "SoundFormat",
    "atomic_write",
    "check_ffmpeg",
    "check_sound",
    "check_whole",
    "colour_of",
    "content_hash",
    "decoded",
    "encode",
    "frame_bytes",
    "frames_of",
    "heard",
    "is_picture",
    "is_picture_file",
    "is_sequence",
    "is_still",
    "lacking",
    "natural",
    "of_pattern",
    "picture_at",
    "picture_size",
    "plain_name",
    "probe",
    "read_alpha",
    "read_metadata",
    "read_picture",
    "read_pixels",
    "read_png",
    "stills_of",
    "storage_checked",
    "storage_error",
    "write_picture",
]
