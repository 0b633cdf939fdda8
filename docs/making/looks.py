"""What the reference shows of each entry: commands, and what each of their pictures is.

A number is shown low, middle and high, a choice as each of its values.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

IMAGE = "dreamvid image seed.jpg"
OCTAVES = f"{IMAGE} --octaves 4"
MOVE = "dreamvid zoom seed.jpg --iterations 0"
FALL = "dreamvid zoom seed.jpg --layer 4c"
OVER = "dreamvid video clip.mp4 --layer 4b"
SONG = "dreamvid zoom seed.jpg --audio song.wav --fps 8"


class Look(NamedTuple):
    """Pictures side by side, one of each command."""

    commands: Sequence[str]
    labels: Sequence[str]


def at(base: str, option: str, *values: object) -> Look:
    """A look at one option's values."""
    name = option.rpartition(".")[2]
    commands = [f'{base} --set "{option}={value}"' for value in values]
    return Look(commands, [f"{name} {value}" for value in values])


def flagged(base: str, flag: str, *values: object) -> Look:
    """A look at one flag's values."""
    return Look([f"{base} {flag} {value}" for value in values], [str(value) for value in values])


def moved(name: str, option: str, *values: object, more: str = "") -> Look:
    """A look at a motion."""
    return at(f"{MOVE} --motion {name}{more}", f"motion.{name}.{option}", *values)


def raised(name: str, option: str, *values: object, more: str = "") -> Look:
    """A look at an objective."""
    return at(f"{IMAGE} --set objective.name={name}{more}", f"objective.{option}", *values)


def written(suffix: str, option: str, *values: object) -> Look:
    """A look at a format."""
    commands = [
        f"{MOVE} --motion hold --frames 4 -o {name}.{suffix} --set encode.{option}={value}"
        for name, value in zip("abc", values, strict=True)
    ]
    return Look(commands, [f"{option} {value}" for value in values])


SETTINGS: Mapping[str, Look] = {
    "network.layers": at(IMAGE, "network.layers", "['conv2']", "['3b']", "['4c']"),
    "network.wander": at("dreamvid zoom seed.jpg", "network.wander", 0, 0.7, 2),
    "network.at_once": at("dreamvid zoom seed.jpg", "network.at_once", 1, 2, 4),
    "octaves.count": flagged(IMAGE, "--octaves", 1, 2, 4),
    "octaves.smallest": at(IMAGE, "octaves.smallest", 140, 70, 35),
    "octaves.scale": at(OCTAVES, "octaves.scale", 1.15, 1.4, 1.8),
    "octaves.enlarge": at(OCTAVES, "octaves.enlarge", "detail", "whole", "merged"),
    "octaves.alpha": at(f"{OCTAVES} --set octaves.enlarge=merged", "octaves.alpha", 0.1, 0.5, 0.9),
    "octaves.passes": at(OCTAVES, "octaves.passes", 1, 2, 5),
    "octaves.layers": at(
        f"{IMAGE} --octaves 3",
        "octaves.layers",
        "[['4d'],['4a'],['conv2']]",
        "[['conv2'],['4a'],['4d']]",
    ),
    "octaves.weights": at(
        f"{IMAGE} --octaves 3", "octaves.weights", "[3,1,0]", "[1,1,1]", "[0,1,3]"
    ),
    "ascent.iterations": at(IMAGE, "ascent.iterations", 2, 8, 30),
    "ascent.later": at(FALL, "ascent.later", 0, 2, 8),
    "ascent.step_size": at(IMAGE, "ascent.step_size", 0.5, 1.5, 4),
    "ascent.later_step_size": at(FALL, "ascent.later_step_size", 0.3, 1.5, 4),
    "ascent.strength": at(IMAGE, "ascent.strength", 0.3, 1, 3),
    "ascent.jitter": at(f"{IMAGE} --strength 3", "ascent.jitter", 0, 8, 32),
    "ascent.smoothing": at(IMAGE, "ascent.smoothing", 0, 0.5, 2),
    "ascent.gaussian": at(IMAGE, "ascent.gaussian", 0, 1, 4),
    "ascent.laplacian": at(IMAGE, "ascent.laplacian", 0, 2, 5),
    "ascent.update": at(IMAGE, "ascent.update", "plain", "momentum", "adam"),
    "ascent.momentum": at(
        f"{IMAGE} --set ascent.update=momentum", "ascent.momentum", 0.5, 0.8, 0.95
    ),
    "ascent.blur": at(f"{IMAGE} --strength 3", "ascent.blur", 0, 0.5, 2),
    "film.seed": flagged(f"{OCTAVES} --strength 2", "--seed", 1, 2, 3),
    "film.fit": flagged(f"{IMAGE} --size 160x176", "--fit", "crop", "pad", "stretch"),
    "film.padding": at(f"{IMAGE} --size 160x176 --fit pad", "film.padding", "blurred", "black"),
    "video.keep_color": at(f"{IMAGE} --strength 2", "video.keep_color", "false", "true"),
}
"""By the setting."""
MOTIONS: Mapping[str, Look] = {
    "zoom": moved("zoom", "rate", 0.7, 1.25, 2),
    "spin": moved("spin", "rate", -20, 12, 60),
    "pan": moved("pan", "x", -0.2, 0.1, 0.4),
    "shear": moved("shear", "x", -0.3, 0.1, 0.5),
    "tilt": moved("tilt", "x", -30, 10, 40),
    "swirl": moved("swirl", "rate", -45, 45, 160),
    "ripple": moved("ripple", "depth", 0.2, 0.4, 0.8),
    "shake": moved("shake", "strength", 0.05, 0.2, 0.6),
    "spiral": moved("spiral", "rate", 1.1, 1.3, 2),
    "kaleidoscope": moved("kaleidoscope", "sectors", 3, 6, 12),
    "camera": moved("camera", "dolly", -0.5, 0.5, 1.5, more=" --set motion.camera.depth=tunnel"),
    "hold": Look([f"{MOVE} --motion hold"], ["nothing moves"]),
}
"""By the motion."""
OBJECTIVES: Mapping[str, Look] = {
    "energy": Look([f"{IMAGE} --set objective.name=energy"], ["energy"]),
    "mean": Look([f"{IMAGE} --set objective.name=mean"], ["mean"]),
    "neuron": raised("neuron", "x", 0.2, 0.5, 0.8),
    "class_score": raised(
        "class_score",
        "label",
        "volcano",
        "castle",
        "jellyfish",
        more=" --octaves 3 --iterations 40 --set ascent.smoothing=0.5",
    ),
    "words": at(f"{IMAGE} --of castle", "objective.against", 0, 0.7, 0.95),
    "guide": raised("guide", "side", 64, 224, 448, more=" --set objective.picture=strokes.png"),
    "caricature": raised(
        "caricature", "cosine_power", 0, 1, 8, more=" --set objective.picture=photo.jpg"
    ),
    "style": raised(
        "style",
        "side",
        96,
        192,
        384,
        more=" --set objective.picture=strokes.png --layer conv2,3b --iterations 30",
    ),
    "nearness": at(
        f"{IMAGE} --strength 3 --set objective.also.near.name=nearness",
        "objective.also.near.weight",
        0.2,
        1,
        3,
    ),
    "smoothness": at(
        f"{IMAGE} --strength 2 --set objective.also.smooth.name=smoothness",
        "objective.also.smooth.weight",
        1000,
        6000,
        30000,
    ),
}
"""By the objective; `norm` looks as `energy` does."""
SPACES: Mapping[str, Look] = {
    "pixels": Look([f"{IMAGE} --layer 4c:12"], ["a channel"]),
    "fourier": at(f"{IMAGE} --space fourier --layer 4c:12", "space.decay", 0.5, 1, 1.5),
    "phase": at(f"{IMAGE} --space phase", "space.crop", 0.3, 0.6, 0.9),
}
"""By the space."""
CARRIES: Mapping[str, Look] = {
    "flow": at(OVER, "carry.damping", 0.3, 0.9, 1),
    "blend": at(f"{OVER} --carry blend", "carry.amount", 0.3, 0.85, 1),
    "none": Look([f"{OVER} --carry none"], ["each frame by itself"]),
    "stillness": at(f"{OVER} --carry stillness", "carry.motion", 0.3, 1, 4),
}
"""By the carry; the last of 16 frames."""
ENCODERS: Mapping[str, Look] = {
    "mp4": written("mp4", "crf", 8, 30, 48),
    "webm": written("webm", "crf", 16, 40, 63),
    "webp": written("webp", "quality", 95, 40, 2),
}
"""By the suffix; the others lose nothing that can be seen, or do as one of these."""
PLACED = "--network pocket --layer 4c"
"""With pocket in the place of a preset's own network, and its layer in that of the preset's."""
UNSHOWN = ("campus", "layers", "per-octave", "per-octave-city", "per-octave-portrait")
"""Presets that are nothing without their own network."""
PRESETS: Mapping[str, Look] = {
    **{name: Look([f"{IMAGE} --preset {name}"], ["a picture"]) for name in ("fourier", "phase")},
    "accent": Look(
        [IMAGE, f"{IMAGE} --preset accent --layer 4b --strength 4"],
        ["the plain dream", "what is there, brought out"],
    ),
    **{
        name: Look(
            [f"dreamvid zoom seed.jpg --preset {name} --frames {n}" for n in (1, 8, 16)],
            ["the first frame", "the eighth", "the sixteenth"],
        )
        for name in ("default", "deep", "endless", "gentle", "journey", "quick", "words")
    },
    **{
        name: Look([f"{SONG} --preset {name}"], ["after two seconds of a song"])
        for name in ("pulse", "drift", "cuts")
    },
    **{
        name: Look([f"{OVER} --preset {name}"], ["the last of 16 frames"])
        for name in ("video", "deepdreamanim-2015")
    },
    "deepdreamvideo-2015": Look(
        [
            "dreamvid video clip.mp4 --preset deepdreamvideo-2015 --network pocket "
            "--set \"network.walk=['4a','4b','4c','4d','4c','4b']\""
        ],
        ["the last of 16 frames, with pocket in its network's place"],
    ),
    **{
        name: Look([f"{IMAGE} --preset {name} {PLACED}"], ["with pocket in its network's place"])
        for name in (
            "google-2015",
            "genekogan-laplacian",
            "gordic-2019",
            "mixed",
            "neural-dream-2020",
            "tf-inception5h-50",
        )
    },
    "google-2015-edges": Look(
        [f"{IMAGE} --preset google-2015-edges --network pocket --layer 3a"],
        ["with pocket in its network's place"],
    ),
    "google-guide": Look(
        [f"{IMAGE} --preset google-guide --network pocket --set objective.picture=strokes.png"],
        ["with pocket in its network's place"],
    ),
    "gordic-ouroboros": Look(
        [f"dreamvid zoom seed.jpg --preset gordic-ouroboros {PLACED}"],
        ["the last of 16 frames, with pocket in its network's place"],
    ),
}
"""By the preset."""
