"""Pictures and films, in and out: the only door to ffmpeg and to image files."""

from dreamvid.media.atomic import atomic_write, storage_checked, storage_error
from dreamvid.media.decoding import check_whole, decoded
from dreamvid.media.encoding import encode
from dreamvid.media.ffmpeg import check_ffmpeg, lacking
from dreamvid.media.formats import LARGEST_PICTURE, SMALLEST_SIDE, is_picture_file
from dreamvid.media.metadata import read_metadata
from dreamvid.media.pictures import READ_SUFFIXES, read_picture
from dreamvid.media.probing import Film, probe
from dreamvid.media.readback import frames_of
from dreamvid.media.sound import Sound, SoundFormat, check_sound
from dreamvid.media.writing import WRITE_FORMATS, read_png, write_picture

__all__ = [
    "LARGEST_PICTURE",
    "READ_SUFFIXES",
    "SMALLEST_SIDE",
    "WRITE_FORMATS",
    "Film",
    "Sound",
    "SoundFormat",
    "atomic_write",
    "check_ffmpeg",
    "check_sound",
    "check_whole",
    "decoded",
    "encode",
    "frames_of",
    "is_picture_file",
    "lacking",
    "probe",
    "read_metadata",
    "read_picture",
    "read_png",
    "storage_checked",
    "storage_error",
    "write_picture",
]
