"""A flag, and those that several commands share."""

from typing import Any, Literal, NamedTuple

Kind = Literal["text", "number", "list", "file", "switch", "whole", "seconds"]
"""Text as it is; TOML, for a setting that is no text; comma-separated texts; a path; yes or no;
a whole number of a flag that is no setting; a duration."""


class Flag(NamedTuple):
    """One flag."""

    help: str
    metavar: str = ""
    sets: str = ""
    """The setting it sets, as section.key; empty for what only a command asks."""
    kind: Kind = "text"
    unset: str = ""
    """What holds where neither the flag nor its setting says anything, for people. A name in
    braces is a constant of `dreamvid.settings`."""
    default: Any = None
    """Of a flag that sets nothing."""
    names: tuple[str, ...] = ()
    """Its spellings, where they are not just --its-name."""
    several: bool = False
    """Whether it may be given more than once."""
    least: int | None = None
    chooses: str = ""
    """The registered function whose option the setting is: the flag chooses that too."""
    alone: str = ""
    """Its value where it stands alone, ``--flag``."""
    takes: tuple[str, ...] = ()
    """The other values of such a flag: as ``--flag=VALUE``, or in the next word."""


FLAGS: dict[str, Flag] = {
    # The result.
    "out": Flag(
        "Where to write the result; the suffix chooses the format.",
        "FILE",
        kind="file",
        names=("-o", "--out"),
    ),
    "frames": Flag("Length in frames, or as 10s.", "N", "film.frames", "number", "{FRAMES}"),
    "seconds": Flag(
        "Length in seconds, instead of --frames.", "S", "film.frames", "seconds", "{FRAMES} frames"
    ),
    "fps": Flag("Frames per second: 24, 30000/1001.", "RATE", "film.fps", "number", "{FPS}"),
    "size": Flag(
        "WxH, the longer side in pixels, or one side: 1920x, x1080.",
        "SIZE",
        "film.size",
        unset="{FILM_SIDE}",
    ),
    "fit": Flag(
        "Of another shape than the input's: crop, pad (blurred, or --set film.padding=black) or "
        "stretch it.",
        "HOW",
        "film.fit",
    ),
    "depth": Flag("Bits per channel of frames on disk: 8 or 16.", "BITS", "film.depth", "number"),
    "start": Flag(
        "Where in the film to begin: a frame or a time, 120, 2.5s, 1:02.5.", "PLACE", "video.start"
    ),
    "at": Flag(
        "Of a film as seed, the frame to begin with: its number or a time, 72, 3s, 1:02.5.",
        "PLACE",
    ),
    "end": Flag(
        "The first frame or time to leave out.", "PLACE", "video.end", unset="the film's end"
    ),
    "fade_in": Flag(
        "Begin as the input, which melts into the dream: 3s, or frames.",
        "TIME",
        "film.fade_in",
        "number",
    ),
    "fade_out": Flag(
        "End with the dream melting back into the input: 3s, or frames.",
        "TIME",
        "film.fade_out",
        "number",
    ),
    # The music.
    "audio": Flag(
        "Music to follow and to hear, which the film is as long as: FILE, STEM=FILE or "
        "NAME=FILE.csv; repeatable.",
        "FILE",
        "audio.files",
        "list",
        unset="none",
        several=True,
    ),
    "audio_offset": Flag(
        "Where in the music the film begins, in seconds.", "S", "audio.offset", "number"
    ),
    "bpm": Flag(
        "The tempo, in beats a minute.", "BPM", "audio.bpm", "number", unset="as it is heard"
    ),
    "beat_offset": Flag(
        "Where in the music a bar begins, in seconds.",
        "S",
        "audio.beat_offset",
        "number",
        unset="as it is heard",
    ),
    "flashes": Flag(
        "Allow more than three flashes a second; they can cause seizures.",
        sets="audio.flashes",
        kind="switch",
    ),
    # The dream.
    "preset": Flag("A preset, or a .toml file of settings.", "NAME", default="default"),
    "config": Flag(
        "Settings laid over the preset's: a TOML file, a job folder, or a film that dreamvid made.",
        "FILE",
        kind="file",
    ),
    "assign": Flag(
        "One setting over all others, a number or a schedule; repeatable.",
        "SECTION.KEY=VALUE",
        names=("--set",),
        several=True,
    ),
    "plugins": Flag(
        "A Python file that adds motions, presets and more; repeatable.",
        "FILE",
        "plugins",
        "list",
        unset="none",
        names=("--plugin",),
        several=True,
    ),
    "motion": Flag(
        "Motions in the order they are applied; see `dreamvid list motions`.",
        "A,B",
        "motion",
        "list",
        several=True,
    ),
    "layer": Flag(
        "Layers to dream: NAME, NAME=WEIGHT, NAME:CHANNEL, NAME:walk(0..9, 2s), number or glob.",
        "A,B",
        "network.layers",
        "list",
        unset="the network's favourite",
        several=True,
    ),
    "of": Flag(
        'What to dream of, in words: volcano, "volcano, castle", or in turn "0s: forest, 4s: '
        'city"; see `dreamvid list words`.',
        "WORDS",
        "objective.of",
        unset="what the layers see",
        chooses="words",
    ),
    "space": Flag(
        "The numbers that a dream climbs in: pixels, fourier (soft and clean) or phase (the light "
        "stays); see `dreamvid list spaces`.",
        "NAME",
        "space.name",
    ),
    "strength": Flag(
        "How strong the dream is, in any preset: 0.5 half as much, 2 twice, by more and larger "
        "steps.",
        "X",
        "ascent.strength",
        "number",
    ),
    "speed": Flag(
        "How fast the film moves, in any preset: 0.5 half as fast, 2 twice.",
        "X",
        "film.speed",
        "number",
    ),
    "dream": Flag(
        "ascent, turbo (one pass of a small network, many times as fast), or the file of a network "
        "that `dreamvid turbo` made.",
        "HOW",
        "turbo.dream",
    ),
    "octaves": Flag("Number of sizes a frame is dreamed at.", "N", "octaves.count", "number"),
    "iterations": Flag("Gradient steps at each octave.", "N", "ascent.iterations", "number"),
    "network": Flag(
        "The network that dreams; several dream together.",
        "A,B",
        "network.name",
        "list",
        several=True,
    ),
    "weights": Flag(
        "Weights of the network: .safetensors, .pth, .caffemodel or .pb. With several networks, "
        "NAME=FILE for each.",
        "FILE",
        "network.weights",
        "list",
        unset="the network's own",
        several=True,
    ),
    "seed": Flag("Random seed; another number gives another dream.", "N", "film.seed", "number"),
    "cadence": Flag(
        "Dream every K-th frame; move and blend the others.", "K", "film.cadence", "number"
    ),
    "anchor": Flag(
        "Share of the drift in brightness, contrast and colour that is undone each second.",
        "SHARE",
        "film.anchor",
        "number",
    ),
    "carry": Flag(
        "How a dream goes on to the next frame; see `dreamvid list carries`.", "NAME", "carry.name"
    ),
    "flow": Flag(
        "How the motion of a film is found; see `dreamvid list flows`.", "NAME", "flow.name"
    ),
    "mask": Flag(
        "A picture or a film: white dreams, black stays.", "FILE", "video.mask", "file", "no mask"
    ),
    "bars": Flag(
        "Black bars around the film's picture: keep them, or dream over them.",
        "HOW",
        "video.bars",
    ),
    "keep_color": Flag(
        "Take the brightness of the dream and the colours of the input.",
        sets="video.keep_color",
        kind="switch",
        names=("--keep-color", "--keep-colour"),
    ),
    "sound_track": Flag(
        "Which of several sound tracks is kept, from 1 on.",
        "N",
        "video.sound_track",
        "number",
        "the film's default one",
    ),
    "background": Flag(
        "What shows through transparent pixels: a name or #RRGGBB.",
        "COLOUR",
        "picture.background",
        unset="black, or what the picture shows on",
        names=("--background",),
    ),
    "keep_alpha": Flag(
        "Keep the picture's transparency.", sets="picture.keep_alpha", kind="switch"
    ),
    "strict": Flag("Refuse a damaged film.", sets="video.strict", kind="switch"),
    # The machine and the run.
    "device": Flag("auto, cpu, cuda, cuda:N or mps.", "NAME", "machine.device"),
    "precision": Flag("auto, bf16, fp16, fp32 or fp64.", "KIND", "machine.precision"),
    "preview": Flag(
        "First make small films of the motion alone and of the dream, then ask whether to go on; "
        "motion or quarter makes just that one.",
        "[KIND]",
        alone="both",
        takes=("motion", "quarter"),
    ),
    "min_free": Flag(
        "Stop before the disk has less free than this; the job can be resumed.",
        "SIZE",
        "machine.min_free",
    ),
    "job": Flag("The job folder.", "DIR", kind="file", unset="OUT.dream"),
    "overwrite": Flag("Replace what is there.", kind="switch"),
    "tidy": Flag("Remove the job once the film is whole.", kind="switch"),
    # The plan for many machines.
    "result": Flag(
        "The film's name in DIR/results; the suffix chooses the format.",
        "NAME",
        unset="as without a plan",
    ),
    "per_unit": Flag(
        "Frames that a unit has at least, where there are cuts; of a folder, its pictures.",
        "N",
        kind="whole",
        least=1,
        unset="100 frames; of a folder, a 64th of its pictures",
    ),
    "silence": Flag(
        "Seconds after which a silent worker has lost its unit.",
        "S",
        kind="whole",
        default=300,
        least=1,
    ),
    "format": Flag(
        "Write it for a scheduler too: shell, slurm or openjd; repeatable.",
        "KIND",
        unset="none",
        several=True,
    ),
    "quiet": Flag(
        "Print only errors, and where the result is.", kind="switch", names=("-q", "--quiet")
    ),
}
"""The flags that several commands share."""
