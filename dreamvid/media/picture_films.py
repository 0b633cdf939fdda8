"""Encoders of films that are pictures: GIF, WebP, APNG, and sequences of files."""

from typing import Annotated, Literal

from dreamvid.frames import Size
from dreamvid.media.registered import Encoding, encoders
from dreamvid.registry import Within

PICTURES = "frames"
"""The encoder that is no suffix."""


@encoders.register
def gif(
    *,
    palette: Literal["film", "frame"] = "film",
    dither: Literal["bayer", "sierra2_4a", "none"] = "bayer",
) -> Encoding:
    """Animated GIF, looping for ever; one palette for the film is steadier, but holds it all."""
    # One palette needs every frame before the first can be written: 4 bytes a pixel of memory.
    mode, new = ("diff", "") if palette == "film" else ("single", ":new=1")
    graph = (
        f"split[picture][colours];[colours]palettegen=stats_mode={mode}[palette];"
        f"[picture][palette]paletteuse=dither={dither}{new}"
    )
    return Encoding(("-filter_complex", graph, "-loop", "0", "-f", "gif"), fastest=50, limit=100)


@encoders.register
def webp(*, quality: Annotated[int, Within(0, 100)] = 90, lossless: bool = False) -> Encoding:
    """Animated WebP, looping for ever; smaller and truer than GIF."""
    pixels = ("-pix_fmt", "bgra") if lossless else ("-pix_fmt", "yuv420p")
    # Not libwebp_anim: it joins equal frames, so that the film has fewer than were asked for.
    codec = ("-c:v", "libwebp", "-lossless", str(int(lossless)), "-quality", str(quality))
    return Encoding((*codec, *pixels, "-loop", "0", "-f", "webp"), largest=Size(16383, 16383))


@encoders.register
def apng() -> Encoding:
    """Animated PNG, looping for ever; every bit kept, large."""
    return Encoding(("-c:v", "apng", "-pix_fmt", "rgb24", "-plays", "0", "-f", "apng"))


@encoders.register
def frames(
    *, depth: Literal[8, 16] | None = None, first: Annotated[int, Within(0, 10**9)] | None = None
) -> Encoding:
    """Pictures: a folder of PNG, 000000.png and so on, or a sequence such as shot.%04d.exr.

    PNG and TIFF have 8 or 16 bits, as the frames of the job where no depth is given; EXR has 16
    bits of linear light. A sequence has the source's own numbers, or those from first on.
    """
    return Encoding(depth=depth, first=first)
