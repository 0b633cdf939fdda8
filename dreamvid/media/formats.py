"""Looking at a file before anything is made of it."""

import stat
from pathlib import Path

from dreamvid.errors import MediaError

PNG_START = b"\x89PNG\r\n\x1a\n"

# A playlist named film.mp4 would have ffmpeg open other files, so none of those are here.
DEMUXERS = (
    "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,h264,hevc,vvc,m4v,av1,obu,ivf,vc1,flv,asf,ogg,"
    "mxf,dv,nut,rm,gif,apng,webp_anim,webp_pipe,png_pipe"
)
EXACT_SEEKING = ("mov", "matroska")  # those with an index that tells of every picture
ONLY_FILMS = {"protocol_whitelist": "file", "format_whitelist": DEMUXERS}


def head_of(path: Path) -> bytes:
    """The first bytes of a regular file; opening a pipe or a device could block for ever."""
    try:
        mode = Path(path).stat().st_mode
        if stat.S_ISDIR(mode):
            raise MediaError(f"{path}: is a folder, wanted a picture; name a file in it")
        if not stat.S_ISREG(mode):
            raise MediaError(f"{path}: is a pipe or device, wanted a picture file; save it first")
        with Path(path).open("rb") as file:
            head = file.read(1024)
    except FileNotFoundError as error:
        raise MediaError(f"{path}: no such file; check the name and the folder") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MediaError(f"{path}: cannot be read ({reason}); check its permissions") from error
    if not head:
        raise MediaError(f"{path}: is empty (0 bytes), wanted a picture; fetch or save it again")
    return head


def damaged(path: Path, error: Exception) -> MediaError:
    """The one line to say of a file that a decoder choked on."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return MediaError(f"{path}: the picture is damaged ({reason}); fetch or save it again")
