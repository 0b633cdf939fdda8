"""What shows through transparent pixels."""

import numpy as np
from PIL import ImageColor

from dreamvid.errors import SettingsError

Colour = tuple[int, int, int]
"""Of sRGB, from 0 to 255."""
BLACK: Colour = (0, 0, 0)
WHITE: Colour = (255, 255, 255)
_OTHERS: dict[str, Colour] = {"white": WHITE, "grey": (128, 128, 128)}
_DISTINCT = 0.25  # of the distance from black to white: what is less apart is hardly seen
_ENOUGH = 0.75  # of a drawing: black is kept where this much of it shows


def colour_of(text: str | None, where: str = "picture.background") -> Colour | None:
    """The colour that a name or a code stands for: white, #fff, #f0e0d0; None of None.

    Raises:
        SettingsError: it stands for none.
    """
    if text is None:
        return None
    try:
        return ImageColor.getrgb(str(text).strip())[:3]
    except ValueError:
        raise SettingsError(
            f"{where}: got {text!r}, expected a colour such as white, #fff or #f0e0d0"
        ) from None


def contrasting(colours: np.ndarray, alpha: np.ndarray) -> tuple[str, Colour]:
    """A background on which a drawing shows, and its name: black unless black hides it.

    Args:
        colours: RGB (H, W, 3), uint8 or uint16; what they are where `alpha` is 0 counts for
            nothing.
        alpha: (H, W) from 0 to 1.
    """
    values = colours.astype(np.float32) / np.iinfo(colours.dtype).max
    drawn = max(float(alpha.sum()), 1e-6)

    def shown(colour: Colour) -> float:
        apart = values - np.array(colour, np.float32) / 255
        distinct = np.sqrt((apart**2).mean(axis=-1)) >= _DISTINCT
        return float((alpha * distinct).sum()) / drawn

    on_black = shown(BLACK)
    if on_black >= _ENOUGH:
        return "black", BLACK
    name, colour = max(_OTHERS.items(), key=lambda entry: shown(entry[1]))
    return (name, colour) if shown(colour) > on_black else ("black", BLACK)


def laid_on(colours: np.ndarray, alpha: np.ndarray, background: Colour) -> np.ndarray:
    """The colours (H, W, 3), uint8 or uint16, with `background` behind them."""
    top = np.iinfo(colours.dtype).max
    share = alpha[..., None].astype(np.float64)
    shade = np.array(background, np.float64) * (top / 255)
    return np.rint(colours * share + shade * (1 - share)).astype(colours.dtype)


def chosen(colours: np.ndarray, alpha: np.ndarray) -> tuple[Colour, str]:
    """The background of a picture for which none is asked, and what to say of it."""
    name, colour = contrasting(colours, alpha)
    reason = "" if name == "black" else ", for it would not show on black"
    return colour, f"is transparent; its background is {name}{reason} (--background)"
