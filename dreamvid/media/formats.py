"""Looking at a file before anything is made of it."""

import re
import stat
from pathlib import Path

from dreamvid.errors import MediaError, in_one_line
from dreamvid.frames import Size

PNG_START = b"\x89PNG\r\n\x1a\n"
LARGEST_PICTURE = 64_000_000
"""Pixels; larger pictures are refused before they are decoded."""
SMALLEST_SIDE = 16

_STARTS = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": re.escape(PNG_START),
    "GIF": rb"GIF8[79]a",
    "WEBP": rb"RIFF....WEBP",
    "TIFF": rb"II[*+]\0|MM\0[*+]",
    "BMP": rb"BM.{4}\0{4}",
    "PPM": rb"P[1-6][\s#]",
    "JPEG2000": rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  \r\n\x87\n",
    "EXR": rb"v/1\x01",
    "PSD": rb"8BPS\0\x01",
    "QOI": rb"qoif",
    "SGI": rb"\x01\xda[\0\x01][\x01\x02]",
    "HDR": rb"#\?(?:RADIANCE|RGBE)\s",
    "AVIF": rb".{4}ftyp(?:avif|avis)",
    "HEIF": rb".{4}ftyp(?:hei[cxms]|hev[cxms])",
}
"""The kinds of pictures that can be read, and what a file of each begins with."""


def kind_of(head: bytes) -> str | None:
    """Which kind of picture begins with the bytes `head`; None where it is none."""
    for kind, start in _STARTS.items():
        if re.match(start, head, re.DOTALL):
            return kind
    # Brands that say no more than "a picture" or "a sequence" are followed by one that does.
    if re.match(rb".{4}ftyp(?:mif1|msf1|miaf)", head, re.DOTALL):
        brands = head[16 : int.from_bytes(head[:4], "big")]
        return "AVIF" if re.search(rb"avi[fs]", brands) else "HEIF"
    return None


# A playlist named film.mp4 would have ffmpeg open other files, so none of those are here.
DEMUXERS = (
    "mov,matroska,webm,avi,mpegts,mpeg,mpegvideo,h264,hevc,vvc,m4v,av1,obu,ivf,vc1,flv,asf,ogg,"
    "mxf,dv,nut,rm,gif,apng,webp_anim,webp_pipe,png_pipe,yuv4mpegpipe"
)
EXACT_SEEKING = ("mov", "matroska")  # those with an index that tells of every picture


def head_of(path: Path) -> bytes:
    """The first bytes of a regular file; opening a pipe or a device could block for ever."""
    try:
        mode = Path(path).stat().st_mode
        if stat.S_ISDIR(mode):
            raise MediaError(f"{path}: is a folder, expected a picture; name a file in it")
        if not stat.S_ISREG(mode):
            raise MediaError(
                f"{path}: is a pipe or device, expected a file; save it first, or give "
                "a film as - through a pipe"
            )
        with Path(path).open("rb") as file:
            head = file.read(1024)
    except FileNotFoundError as error:
        if address := address_of(path):
            raise MediaError(_to_be_fetched(address)) from None
        raise MediaError(f"{path}: no such file; check the name and the folder") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MediaError(f"{path}: cannot be read ({reason}); check its permissions") from error
    if not head:
        raise MediaError(f"{path}: is empty (0 bytes), expected a picture; fetch or save it again")
    return head


def address_of(path: Path) -> str | None:
    """The address on the net that a path was meant as; None where it is a path."""
    found = re.match(r"([a-z][a-z0-9+.-]{1,9}):/+(.+)", str(path), re.IGNORECASE)
    return f"{found[1].lower()}://{found[2]}" if found else None


def _to_be_fetched(address: str) -> str:
    if address.startswith("file:"):
        return f"{address}: is an address, expected a file's name; give /{address[7:]}"
    return (
        f"{address}: is an address on the net, expected a file; download it first with "
        f"`curl -LO '{address}'`, or from a page that plays it with `yt-dlp '{address}'`"
    )


def is_picture_file(path: Path) -> bool:
    """Whether a file begins as a picture does; so do GIF, WebP and PNG that hold a film."""
    return kind_of(head_of(path)) is not None


def damaged(path: Path, error: Exception, kind: str | None = None) -> MediaError:
    """The one line to say of a file that a decoder choked on; `kind` as from `kind_of`."""
    what = f"{kind.replace('HEIF', 'HEIC')} picture" if kind else "picture"
    reason = in_one_line(error)
    if isinstance(error, KeyError):
        reason = f"it does not tell its {str(error.args[0]).removeprefix('b').strip(chr(39))}"
    elif reason.startswith("cannot identify image file"):
        reason = "nothing of it decodes"
    if "decompression bomb" in reason:
        return too_large(path, "far more pixels")
    return MediaError(f"{path}: the {what} is damaged ({reason}); fetch or save it again")


def no_film(path: Path, head: bytes) -> MediaError:
    """The one line to say of a file, which begins with `head`, in which no film is found."""
    if re.match(rb"#EXTM3U|ffconcat|\[playlist\]", head):
        return MediaError(f"{path}: is a playlist, expected a film; name one that it lists")
    if re.match(rb".{4}(ftyp|moov|mdat|wide|skip)|RIFF.{4}AVI |\x1a\x45\xdf\xa3|FLV", head, re.S):
        return MediaError(
            f"{path}: the film is damaged, or breaks off before it tells what is in it; "
            "fetch or save it again"
        )
    return MediaError(
        f"{path}: is not a film that can be read, expected MP4, MOV, MKV, WebM, AVI or another "
        "that ffmpeg knows; convert it first"
    )


def check_pixels(path: Path, size: Size) -> None:
    """Raise `MediaError` where pictures of a film of that size are not to be decoded."""
    if min(size) < 1:
        raise MediaError(f"{path}: holds no frames of a known size; fetch or save it again")
    if size.height * size.width > LARGEST_PICTURE:
        raise too_large(path, str(size))


def too_large(path: Path, got: str, largest: int = LARGEST_PICTURE) -> MediaError:
    """The one line to say of a picture that has more pixels than are decoded."""
    return MediaError(
        f"{path}: {got} is too large, expected at most {largest / 1e6:.0f} million pixels; "
        "shrink it"
    )
