"""Put pictures side by side: ``python sheet.py OUT COLUMNS WIDTH PICTURE...``."""

import sys
from pathlib import Path

from PIL import Image

GAP = 4


def sheet(paths: list[Path], columns: int, width: int) -> Image.Image:
    """Pictures of one shape in rows of `columns`, each `width` pixels wide."""
    pictures = [Image.open(path).convert("RGB") for path in paths]
    height = round(width * pictures[0].height / pictures[0].width)
    rows = -(-len(pictures) // columns)
    size = (columns * (width + GAP) - GAP, rows * (height + GAP) - GAP)
    result = Image.new("RGB", size, "white")
    for index, picture in enumerate(pictures):
        place = (index % columns * (width + GAP), index // columns * (height + GAP))
        result.paste(picture.resize((width, height), Image.Resampling.LANCZOS), place)
    return result


if __name__ == "__main__":
    out, columns, width, *names = sys.argv[1:]
    sheet([Path(name) for name in names], int(columns), int(width)).save(out, quality=88)
