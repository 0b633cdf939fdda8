"""Contact sheets: pictures of one size in rows, with text above and below them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dreamvid.frames import Frame, from_pixels, to_pixels

GAP = 6
TEXT = 13
"""Height of the letters, in pixels."""
LINE = TEXT + 7
PAPER, INK, PALE = (255, 255, 255), (20, 20, 20), (225, 225, 225)


@dataclass(frozen=True)
class Cell:
    """A picture and its caption; without a picture, an empty field."""

    picture: Frame | None
    caption: str = ""


@dataclass(frozen=True)
class Row:
    """Cells side by side, and the title above them."""

    cells: Sequence[Cell]
    title: str = ""


def contact_sheet(rows: Sequence[Row], headings: Sequence[str] = (), title: str = "") -> Frame:
    """One picture of many.

    Args:
        rows: their pictures are all of one size.
        headings: above each column.
        title: above everything.
    """
    pictures = [cell.picture for row in rows for cell in row.cells if cell.picture is not None]
    height, width = pictures[0].shape[-2:]
    columns = max(len(row.cells) for row in rows)
    across = columns * (width + GAP) + GAP
    lines = [bool(row.title) + any(cell.caption for cell in row.cells) for row in rows]
    down = GAP + LINE * (bool(title) + bool(headings)) + len(rows) * (height + GAP)
    sheet = Image.new("RGB", (across, down + LINE * sum(lines)), PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.fontmode = "L"
    font = ImageFont.load_default(TEXT)

    def write(text: str, left: int, top: int, room: int) -> None:
        pen.text((left, top + 2), _fitting(text, font, room), INK, font)

    top = GAP
    if title:
        write(title, GAP, top, across - 2 * GAP)
        top += LINE
    if headings:
        for number, heading in enumerate(headings):
            write(heading, GAP + number * (width + GAP), top, width)
        top += LINE
    for row in rows:
        if row.title:
            write(row.title, GAP, top, across - 2 * GAP)
            top += LINE
        for number, cell in enumerate(row.cells):
            left = GAP + number * (width + GAP)
            if cell.picture is None:
                pen.rectangle((left, top, left + width - 1, top + height - 1), PALE)
            else:
                sheet.paste(Image.fromarray(to_pixels(cell.picture)), (left, top))
            write(cell.caption, left, top + height, width)
        top += height + GAP + LINE * any(cell.caption for cell in row.cells)
    return from_pixels(np.asarray(sheet))


def _fitting(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: int) -> str:
    """`text`; if it is wider than `room` pixels, its middle is left out."""
    if font.getlength(text) <= room:
        return text
    for kept in range(len(text) - 1, 0, -1):
        # Layers differ at the end of their names more than at the beginning.
        start = kept // 3
        short = f"{text[:start]}…{text[len(text) - (kept - start) :]}"
        if font.getlength(short) <= room:
            return short
    return ""
