"""The drawings of "How it works", as SVG.

::

    python docs/making/diagrams.py          # writes docs/diagrams/*.svg
"""

import math
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "diagrams"
INK, SOFT, GREEN, ORANGE, BLUE = "#24292f", "#8c959f", "#1a7f37", "#bc4c00", "#0969da"
FONT = "font-family='Helvetica, Arial, sans-serif' font-size='13'"


def text(x: float, y: float, words: str, colour: str = INK, anchor: str = "middle") -> str:
    """Words; `y` is their baseline."""
    return f"<text x='{x:g}' y='{y:g}' fill='{colour}' text-anchor='{anchor}'>{words}</text>"


def box(x: float, y: float, width: float, height: float, fill: str = "#f6f8fa") -> str:
    """A rectangle with round corners."""
    return (
        f"<rect x='{x:g}' y='{y:g}' width='{width:g}' height='{height:g}' rx='5' fill='{fill}' "
        f"stroke='{INK}'/>"
    )


def arrow(x: float, y: float, to_x: float, to_y: float, colour: str = INK) -> str:
    """A line with a head."""
    return (
        f"<line x1='{x:g}' y1='{y:g}' x2='{to_x:g}' y2='{to_y:g}' stroke='{colour}' "
        f"stroke-width='1.6' marker-end='url(#head{colour[1:]})'/>"
    )


def bent(path: str, colour: str = INK) -> str:
    """A curve with a head."""
    return (
        f"<path d='{path}' fill='none' stroke='{colour}' stroke-width='1.6' "
        f"marker-end='url(#head{colour[1:]})'/>"
    )


def waves(x: float, y: float, width: float, height: float, count: int, colour: str) -> str:
    """A dream in a picture: so many waves."""
    steps = 12 * count
    points = " ".join(
        f"{x + width * n / steps:.1f},{y + height * _wave(n):.1f}" for n in range(steps + 1)
    )
    return f"<polyline points='{points}' fill='none' stroke='{colour}' stroke-width='1.6'/>"


def _wave(number: int) -> float:
    return 0.5 - 0.3 * math.sin(2 * math.pi * number / 12)


def picture(width: float, height: float, *parts: str) -> str:
    """A whole drawing."""
    heads = "".join(
        f"<marker id='head{colour[1:]}' viewBox='0 0 8 8' refX='7' refY='4' markerWidth='7' "
        f"markerHeight='7' orient='auto'><path d='M0 0 8 4 0 8z' fill='{colour}'/></marker>"
        for colour in (INK, SOFT, GREEN, ORANGE, BLUE)
    )
    body = "\n".join(parts)
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width:g} {height:g}' "
        f"width='{width:g}' height='{height:g}' {FONT}>\n"
        f"<rect width='{width:g}' height='{height:g}' fill='white'/>\n<defs>{heads}</defs>\n"
        f"{body}\n</svg>\n"
    )


def octaves() -> str:
    """The same picture at four sizes; only what was dreamed goes up."""
    parts, x = [], 20.0
    sides = [60 * 1.4**number for number in range(4)]
    for number, side in enumerate(sides):
        top, wide = 190 - side, 1.5 * side
        parts.append(box(x, top, wide, side))
        for layer in range(number + 1):
            high = side / (number + 1.2)
            parts.append(waves(x + 6, top + 3 + layer * high, wide - 12, high, layer + 2, GREEN))
        parts.append(text(x + wide / 2, 210, f"octave {number}"))
        if number < 3:
            parts.append(arrow(x + wide + 4, 150, x + wide + 42, 150, ORANGE))
            parts.append(text(x + wide + 23, 140, "detail", ORANGE))
        x += wide + 46
    parts.append(text(20, 20, "each size: some steps of ascent", GREEN, "start"))
    parts.append(text(20, 38, "upward: only what the dream added, enlarged", ORANGE, "start"))
    return picture(x - 20, 222, *parts)


def jitter() -> str:
    """Rolled, one step of ascent, rolled back."""
    parts = []
    labels = ("the picture", "rolled by (dx, dy)", "a step up the gradient", "rolled back")
    for number, label in enumerate(labels):
        x = 15 + 175 * number
        parts.append(box(x, 30, 130, 90))
        shift = 0 if number in (0, 3) else 34
        parts.append(
            f"<circle cx='{x + 45 + shift}' cy='{75 - shift / 3:g}' r='16' fill='{BLUE}'/>"
        )
        for cut in range(1, 4):
            across = f"<line x1='{x + 32.5 * cut:g}' y1='30' x2='{x + 32.5 * cut:g}' y2='120'"
            parts.append(f"{across} stroke='{SOFT}' stroke-dasharray='3 3'/>")
        if number > 1:
            parts.append(waves(x + 20 + shift, 88 - shift / 3, 50, 26, 3, GREEN))
        parts.append(text(x + 65, 140, label))
        if number < 3:
            parts.append(arrow(x + 135, 75, x + 170, 75))
    parts.append(
        text(15, 18, "dashed: the grid of the network's strides, which stays", SOFT, "start")
    )
    return picture(700, 152, *parts)


def feedback() -> str:
    """A frame, moved, dreamed, written; the next one starts from it."""
    parts = []
    labels = (
        ("frame n", "on the disk"),
        ("carry", "moved a little"),
        ("dreamer", "octaves, steps"),
        ("rounded", "to 8 bits"),
        ("frame n + 1", "on the disk"),
    )
    for number, (name, about) in enumerate(labels):
        x = 15 + 140 * number
        fill = "#ddf4ff" if number in (0, 4) else "#f6f8fa"
        parts += [box(x, 30, 110, 54, fill), text(x + 55, 53, name), text(x + 55, 72, about, SOFT)]
        if number < 4:
            parts.append(arrow(x + 112, 57, x + 138, 57))
    parts.append(bent("M 630 88 C 600 150, 130 150, 75 90", ORANGE))
    parts.append(text(350, 158, "the next frame starts from exactly what was written", ORANGE))
    return picture(700, 170, *parts)


def flow() -> str:
    """The detail of the last dream, moved along the flow, less where it cannot be trusted."""
    parts = [text(90, 20, "film, frame n"), text(290, 20, "film, frame n + 1")]
    for x, shift in ((20, 0), (220, 60)):
        parts += [
            box(x, 30, 140, 84),
            f"<circle cx='{x + 40 + shift}' cy='72' r='20' fill='{BLUE}'/>",
        ]
    parts += [arrow(62, 72, 318, 72, SOFT), text(190, 62, "flow", SOFT)]
    parts.append(text(90, 150, "dream less frame = detail"))
    parts += [box(20, 160, 140, 84), waves(40, 180, 44, 40, 3, GREEN)]
    parts += [
        text(290, 150, "detail, moved"),
        box(220, 160, 140, 84),
        waves(300, 180, 44, 40, 3, GREEN),
    ]
    parts.append(f"<circle cx='260' cy='202' r='20' fill='#ffebe9' stroke='{ORANGE}' "
                 "stroke-dasharray='4 3'/>")  # fmt: skip
    parts += [arrow(165, 202, 215, 202), text(260, 262, "uncovered: dreamed anew", ORANGE)]
    parts += [arrow(365, 202, 415, 202), text(390, 192, "+ 0.9")]
    parts += [box(420, 160, 150, 84, "#ddf4ff"), text(495, 196, "frame n + 1 + detail")]
    parts += [text(495, 216, "then a few steps", SOFT), bent("M 365 72 C 480 72, 495 110, 495 156")]
    return picture(590, 275, *parts)


def loops() -> str:
    """Turns of a loop: the second is drawn to the first until it ends with the same picture."""
    parts = [text(20, 22, "turn 1: the dream settles", INK, "start")]
    for turn in range(2):
        top = 34 + 95 * turn
        for frame in range(9):
            x = 20 + 68 * frame
            share = frame / 8 if turn else 0
            fill = f"rgb({int(221 - 9 * share)},{int(244 - 50 * share)},{int(255 - 180 * share)})"
            parts.append(box(x, top, 60, 40, fill if turn else "#ddf4ff"))
            parts.append(text(x + 30, top + 25, f"{frame if frame < 8 else 0}"))
            if turn and frame in (2, 4, 6):
                parts.append(arrow(x + 30, top - 50, x + 30, top - 4, ORANGE))
    parts.append(
        text(20, 117, "turn 2, the film: drawn to turn 1, frame by frame more", ORANGE, "start")
    )
    parts.append(bent("M 594 172 C 560 215, 90 215, 52 174", GREEN))
    parts.append(text(320, 222, "its last frame flows into its first", GREEN))
    return picture(650, 235, *parts)


def drawings() -> Iterator[tuple[str, str]]:
    """The name of each drawing and its SVG."""
    for draw in (octaves, jitter, feedback, flow, loops):
        yield draw.__name__, draw()


if __name__ == "__main__":
    for name, svg in drawings():
        (FOLDER / f"{name}.svg").write_text(svg, "utf-8")
