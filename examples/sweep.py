"""Many settings side by side: every layer that is named by every step size that is named.

::

    python examples/sweep.py samples/seed.jpg sweep.png

The pictures stay arrays until the end; nothing else is written.
"""

import sys
from itertools import product

import numpy as np
from PIL import Image

import dreamvid

LAYERS = ("conv2", "3b", "4a", "4c")
STEPS = (0.5, 1.5, 4.0)


def main(seed: str, out: str, side: int = 240, **flags: object) -> Image.Image:
    """A row for each layer, a column for each step size; `flags` are those of `dreamvid.image`."""
    picture = Image.open(seed).convert("RGB")
    picture.thumbnail((side, side))
    cells = [
        dreamvid.image(picture, layer=layer, settings={"ascent": {"step_size": step}}, **flags)
        for layer, step in product(LAYERS, STEPS)
    ]
    rows = [np.hstack(cells[at : at + len(STEPS)]) for at in range(0, len(cells), len(STEPS))]
    sheet = Image.fromarray(np.vstack(rows))
    sheet.save(out)
    return sheet


if __name__ == "__main__":
    main(*sys.argv[1:3])
