"""Pictures for the page, at the size it shows them: frames, thumbnails, strips that move."""

import io
from collections.abc import Iterator
from pathlib import Path

import av
from av.error import FFmpegError
from PIL import Image

from dreamvid.studio.items import Item, Shelf

WIDTHS = (160, 240, 320, 480, 640, 960, 1280, 1920, 2560)
"""What is made; the page asks for any, and gets the next."""
STRIP = 8
"""Pictures in the strip of a moving thumbnail."""
STRIP_WIDTH = 240
Image.MAX_IMAGE_PIXELS = 64_000_000


def next_width(wanted: str) -> int:
    """The width that is made where one is asked for, in pixels."""
    asked = int(wanted) if wanted.isdigit() and len(wanted) < 6 else 640
    return next((width for width in WIDTHS if width >= asked), WIDTHS[-1])


def jpeg(path: Path, width: int, quality: int = 84) -> bytes:
    """A picture as JPEG, no wider than `width`; `OSError` or `ValueError` for no picture."""
    with Image.open(path) as image:
        image.draft("RGB", (width, width * 4))
        return encoded(_small(image, width), quality)


def encoded(image: Image.Image, quality: int = 84) -> bytes:
    """A picture as the bytes of a JPEG."""
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def _small(image: Image.Image, width: int) -> Image.Image:
    if image.mode in ("RGBA", "LA", "P"):
        image = image.convert("RGBA")
        black = Image.new("RGBA", image.size, "black")
        image = Image.alpha_composite(black, image)
    image = image.convert("RGB")
    if image.width > width:
        height = max(1, round(image.height * width / image.width))
        image = image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return image


def strip(shelf: Shelf, item: Item) -> bytes:
    """Pictures from all over a film side by side, as JPEG; `OSError` where there are none."""
    frames = shelf.frames(item.job) if item.job else 0
    if item.job is not None and frames:
        picked = [round(n * (frames - 1) / (STRIP - 1)) for n in range(STRIP)]
        paths = [item.job / "frames" / f"{index:06d}.png" for index in picked]
        pictures = _opened([path for path in paths if path.exists()])
    else:
        pictures = _decoded(item.path)
    found = list(pictures)
    if not found:
        raise OSError("no frames")
    found += found[-1:] * (STRIP - len(found))
    height = found[0].height
    whole = Image.new("RGB", (STRIP_WIDTH * STRIP, height))
    for number, image in enumerate(found[:STRIP]):
        whole.paste(image.resize((STRIP_WIDTH, height)), (number * STRIP_WIDTH, 0))
    return encoded(whole, 76)


def _opened(paths: list[Path]) -> Iterator[Image.Image]:
    for path in paths:
        with Image.open(path) as image:
            yield _small(image, STRIP_WIDTH)


def _decoded(path: Path) -> Iterator[Image.Image]:
    """Pictures from all over a film file."""
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            length = float(container.duration or 0) / 1e6
            for number in range(STRIP):
                container.seek(int(length * number / STRIP * 1e6))
                frame = next(container.decode(stream), None)
                if frame is not None:
                    yield _small(frame.to_image(), STRIP_WIDTH)
    except (FFmpegError, IndexError, ValueError):
        return
