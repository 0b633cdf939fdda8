"""The flags that several commands share. Their texts are checked by the settings they set."""

from pathlib import Path
from typing import Annotated

import typer

Seed = Annotated[Path, typer.Argument(metavar="SEED", help="A picture.")]
Input = Annotated[Path, typer.Argument(metavar="INPUT", help="A film.")]
Out = Annotated[
    Path | None, typer.Option("-o", "--out", help="The result; its suffix chooses the format.")
]
Frames = Annotated[
    str | None, typer.Option(metavar="N", help="Length in frames. [300; a film's own]")
]
Fps = Annotated[
    str | None,
    typer.Option(metavar="RATE", help="Frames a second, 24 or 30000/1001. [30; a film's own]"),
]
Length = Annotated[
    str | None,
    typer.Option(
        "--size",
        metavar="SIZE",
        help="WxH, or the longer side in pixels. [640; pictures: their own]",
    ),
]
Preset = Annotated[str, typer.Option(metavar="NAME", help="A preset, or a .toml file of settings.")]
Config = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Settings over the preset's: TOML, a job folder, or a film dreamvid made.",
    ),
]
Assign = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="SECTION.KEY=VALUE",
        help="One setting over all others, a number or a schedule; repeatable.",
    ),
]
Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin",
        metavar="FILE",
        help="A Python file that adds motions, presets and more; repeatable.",
    ),
]
NetworkName = Annotated[
    str | None,
    typer.Option(
        "--network",
        metavar="NAME",
        help="What dreams; several, parted by commas, dream together. [pocket]",
    ),
]
Weights = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE",
        help="The network's weights, .safetensors, .pth, .caffemodel or .pb; "
        "with several networks NAME=FILE for each.",
    ),
]
Layer = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LAYER",
        help="NAME, NAME=WEIGHT, NAME:CHANNEL, NAME:walk(0..9, 2s), number or glob; repeatable.",
    ),
]
Octaves = Annotated[str | None, typer.Option(metavar="N", help="Sizes a frame is dreamed at. [4]")]
Iterations = Annotated[
    str | None, typer.Option(metavar="N", help="Gradient steps at each octave. [10]")
]
MotionNames = Annotated[
    str | None,
    typer.Option("--motion", metavar="A,B", help="Motions in order; see `dreamvid list motions`."),
]
Start = Annotated[
    str | None,
    typer.Option(metavar="PLACE", help="Where to begin: a frame or a time, 120, 2.5s, 1:02.5. [0]"),
]
End = Annotated[
    str | None, typer.Option(metavar="PLACE", help="The first frame or time to leave out again.")
]
Carry = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="How a dream goes on; see `dreamvid list carries`. [flow]"),
]
Flow = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="How motion is found; see `dreamvid list flows`. [dis]"),
]
Mask = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A picture or a film: white dreams, black stays."),
]
KeepColor = Annotated[
    bool | None, typer.Option("--keep-color", help="The dream's brightness, the film's colours.")
]
Strict = Annotated[bool | None, typer.Option("--strict", help="Refuse a damaged film.")]
SeedNumber = Annotated[
    str | None, typer.Option("--seed", metavar="N", help="Another number, another dream. [0]")
]
Device = Annotated[
    str | None, typer.Option(metavar="NAME", help="auto, cpu, cuda, cuda:N or mps. [auto]")
]
Precision = Annotated[
    str | None, typer.Option(metavar="KIND", help="auto, bf16, fp32 or fp64. [auto]")
]
Depth = Annotated[
    str | None, typer.Option(metavar="BITS", help="8 or 16 bits a channel on disk. [8]")
]
Cadence = Annotated[
    str | None,
    typer.Option(metavar="K", help="Dream every K-th frame, move and blend the others. [1]"),
]
Anchor = Annotated[
    str | None,
    typer.Option(
        metavar="STRENGTH",
        help="Share of the drift in brightness, contrast and colour undone a second. [0.3]",
    ),
]
Preview = Annotated[
    bool,
    typer.Option("--preview", help="First show the motion alone, then a quarter of the size."),
]
JobFolder = Annotated[
    Path | None, typer.Option("--job", metavar="DIR", help="The job folder. [OUT.dream]")
]
MinFree = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Stop, to be resumed, before the disk has less than this free. [200MB]",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but errors.")]
