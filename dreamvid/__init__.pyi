"""Written by `python -m dreamvid.cli.stub` from the table of flags."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from os import PathLike
from typing import Any, Literal

from dreamvid.notebooks import Result, Seed

__version__: str

def zoom(
    seed: Seed,
    out: str | PathLike[str] | None = None,
    *,
    at: int | str | None = None,
    preset: str = "default",
    config: str | PathLike[str] | None = None,
    job: str | PathLike[str] | None = None,
    overwrite: bool = False,
    tidy: bool = False,
    preview: bool | str = False,
    progress: bool | None = None,
    on_frame: Callable[[int, Any], None] | None = None,
    settings: dict[str, Any] | None = None,
    frames: str | int | None = None,
    seconds: float | str | None = None,
    fps: Fraction | float | str | None = None,
    size: str | int | None = None,
    fit: Literal["crop", "pad", "stretch"] | None = None,
    audio: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
    audio_offset: float | None = None,
    bpm: float | None = None,
    beat_offset: float | None = None,
    flashes: bool | None = None,
    fade_in: str | int | None = None,
    fade_out: str | int | None = None,
    motion: str | Sequence[str] | None = None,
    speed: float | None = None,
    mask: str | PathLike[str] | None = None,
    keep_color: bool | None = None,
    of: str | None = None,
    space: str | None = None,
    strength: float | str | Sequence[Any] | None = None,
    dream: str | None = None,
    layer: str | Sequence[str] | None = None,
    octaves: int | None = None,
    iterations: Sequence[int] | int | str | Sequence[Any] | None = None,
    network: str | Sequence[str] | None = None,
    weights: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
    plugins: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
    device: str | None = None,
    precision: Literal["auto", "fp64", "fp32", "bf16", "fp16"] | None = None,
    background: str | None = None,
    depth: Literal[8, 16] | None = None,
    cadence: int | None = None,
    anchor: float | None = None,
    min_free: int | str | None = None,
) -> Result:
    """Make a film that falls into a still, and return its path.

    Args:
        seed: A picture. (The random seed is ``settings={'film': {'seed': 7}}``.)
        out: Where to write the result; the suffix chooses the format. Default: SEED-zoom.mp4.
        at: Of a film as seed, the frame to begin with: its number or a time, 72, 3s, 1:02.5.
        preset: A preset, or a .toml file of settings. Default: default.
        config: Settings laid over the preset's: a TOML file, a job folder, or a film that dreamvid
            made.
        job: The job folder. Default: OUT.dream.
        overwrite: Replace what is there.
        tidy: Remove the job once the film is whole.
        preview: First make small films of the motion alone and of the dream, then ask whether to
            go on; motion or quarter makes just that one.
        progress: Whether a notebook's cell shows how far it is; None: where there is a notebook.
        on_frame: Called with the number of each frame and the frame, a NumPy array (H, W, 3).
        settings: Settings that win over all, such as ``{'ascent': {'step_size': 2.0}}``.
        frames: Length in frames, or as 10s. Default: 300.
        seconds: Length in seconds, instead of --frames. Default: 300 frames.
        fps: Frames per second: 24, 30000/1001. Default: 30.
        size: WxH, the longer side in pixels, or one side: 1920x, x1080. Default: 640.
        fit: Of another shape than the input's: crop, pad (blurred, or --set film.padding=black) or
            stretch it. Default: crop.
        audio: Music to follow and to hear, which the film is as long as: FILE, STEM=FILE or
            NAME=FILE.csv; repeatable. Default: none.
        audio_offset: Where in the music the film begins, in seconds. Default: 0.0.
        bpm: The tempo, in beats a minute. Default: as it is heard.
        beat_offset: Where in the music a bar begins, in seconds. Default: as it is heard.
        flashes: Allow more than three flashes a second; they can cause seizures.
        fade_in: Begin as the input, which melts into the dream: 3s, or frames. Default: 0.
        fade_out: End with the dream melting back into the input: 3s, or frames. Default: 0.
        motion: Motions in the order they are applied; see `dreamvid list motions`. Default:
            zoom,spin.
        speed: How fast the film moves, in any preset: 0.5 half as fast, 2 twice. Default: 1.0.
        mask: A picture or a film: white dreams, black stays. Default: no mask.
        keep_color: Take the brightness of the dream and the colours of the input.
        of: What to dream of, in words: volcano, "volcano, castle", or in turn "0s: forest, 4s:
            city"; see `dreamvid list words`. Default: what the layers see.
        space: The numbers that a dream climbs in: pixels, fourier (soft and clean) or phase (the
            light stays); see `dreamvid list spaces`. Default: pixels.
        strength: How strong the dream is, in any preset: 0.5 half as much, 2 twice, by more and
            larger steps. Default: 1.0.
        dream: ascent, turbo (one pass of a small network, many times as fast), or the file of a
            network that `dreamvid turbo` made. Default: ascent.
        layer: Layers to dream: NAME, NAME=WEIGHT, NAME:CHANNEL, NAME:walk(0..9, 2s), number or
            glob. Default: the network's favourite.
        octaves: Number of sizes a frame is dreamed at. Default: 4.
        iterations: Gradient steps at each octave. Default: 10.
        network: The network that dreams; several dream together. Default: pocket.
        weights: Weights of the network: .safetensors, .pth, .caffemodel or .pb. With several
            networks, NAME=FILE for each. Default: the network's own.
        plugins: A Python file that adds motions, presets and more; repeatable. Default: none.
        device: auto, cpu, cuda, cuda:N or mps. Default: auto.
        precision: auto, bf16, fp16, fp32 or fp64. Default: auto.
        background: What shows through transparent pixels: a name or #RRGGBB. Default: black, or
            what the picture shows on.
        depth: Bits per channel of frames on disk: 8 or 16. Default: 8.
        cadence: Dream every K-th frame; move and blend the others. Default: 1.
        anchor: Share of the drift in brightness, contrast and colour that is undone each second.
            Default: 0.3.
        min_free: Stop before the disk has less free than this; the job can be resumed. Default:
            200MB.
    """

def video(
    source: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    *,
    preset: str = "video",
    config: str | PathLike[str] | None = None,
    job: str | PathLike[str] | None = None,
    overwrite: bool = False,
    tidy: bool = False,
    progress: bool | None = None,
    on_frame: Callable[[int, Any], None] | None = None,
    settings: dict[str, Any] | None = None,
    start: int | str | None = None,
    end: int | str | None = None,
    frames: str | int | None = None,
    seconds: float | str | None = None,
    fps: Fraction | float | str | None = None,
    size: str | int | None = None,
    fit: Literal["crop", "pad", "stretch"] | None = None,
    audio: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
    audio_offset: float | None = None,
    bpm: float | None = None,
    beat_offset: float | None = None,
    flashes: bool | None = None,
    fade_in: str | int | None = None,
    fade_out: str | int | None = None,
    motion: str | Sequence[str] | None = None,
    speed: float | None = None,
    carry: str | None = None,
    flow: str | None = None,
    bars: Literal["keep", "dream"] | None = None,
    mask: str | PathLike[str] | None = None,
    keep_color: bool | None = None,
    strict: bool | None = None,
    sound_track: int | None = None,
    of: str | None = None,
    space: str | None = None,
    strength: float | str | Sequence[Any] | None = None,
    dream: str | None = None,
    layer: str | Sequence[str] | None = None,
    octaves: int | None = None,
    iterations: Sequence[int] | int | str | Sequence[Any] | None = None,
    network: str | Sequence[str] | None = None,
    weights: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
    plugins: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal["auto", "fp64", "fp32", "bf16", "fp16"] | None = None,
    background: str | None = None,
    depth: Literal[8, 16] | None = None,
    min_free: int | str | None = None,
) -> Result:
    """Dream over a film, and return the path of the new one; motion, rate and sound are kept.

    Args:
        source: A film.
        out: Where to write the result; the suffix chooses the format. Default: INPUT-video.mp4.
        preset: A preset, or a .toml file of settings. Default: video.
        config: Settings laid over the preset's: a TOML file, a job folder, or a film that dreamvid
            made.
        job: The job folder. Default: OUT.dream.
        overwrite: Replace what is there.
        tidy: Remove the job once the film is whole.
        progress: Whether a notebook's cell shows how far it is; None: where there is a notebook.
        on_frame: Called with the number of each frame and the frame, a NumPy array (H, W, 3).
        settings: Settings that win over all, such as ``{'ascent': {'step_size': 2.0}}``.
        start: Where in the film to begin: a frame or a time, 120, 2.5s, 1:02.5. Default: 0.
        end: The first frame or time to leave out. Default: the film's end.
        frames: Length in frames, or as 10s. Default: to the film's end.
        seconds: Length in seconds, instead of --frames. Default: to the film's end.
        fps: Frames per second: 24, 30000/1001. Default: the film's own.
        size: WxH, the longer side in pixels, or one side: 1920x, x1080. Default: the film's own,
            at most 640.
        fit: Of another shape than the input's: crop, pad (blurred, or --set film.padding=black) or
            stretch it. Default: crop.
        audio: Music to follow and to hear, which the film is as long as: FILE, STEM=FILE or
            NAME=FILE.csv; repeatable. Default: the film's own sound.
        audio_offset: Where in the music the film begins, in seconds. Default: 0.0.
        bpm: The tempo, in beats a minute. Default: as it is heard.
        beat_offset: Where in the music a bar begins, in seconds. Default: as it is heard.
        flashes: Allow more than three flashes a second; they can cause seizures.
        fade_in: Begin as the input, which melts into the dream: 3s, or frames. Default: 0.
        fade_out: End with the dream melting back into the input: 3s, or frames. Default: 0.
        motion: camera: it travels through the film; see motion.camera.depth. Default: the film's
            own.
        speed: How fast the film moves, in any preset: 0.5 half as fast, 2 twice. Default: 1.0.
        carry: How a dream goes on to the next frame; see `dreamvid list carries`. Default: flow.
        flow: How the motion of a film is found; see `dreamvid list flows`. Default: dis.
        bars: Black bars around the film's picture: keep them, or dream over them. Default: keep.
        mask: A picture or a film: white dreams, black stays. Default: no mask.
        keep_color: Take the brightness of the dream and the colours of the input.
        strict: Refuse a damaged film.
        sound_track: Which of several sound tracks is kept, from 1 on. Default: the film's default
            one.
        of: What to dream of, in words: volcano, "volcano, castle", or in turn "0s: forest, 4s:
            city"; see `dreamvid list words`. Default: what the layers see.
        space: The numbers that a dream climbs in: pixels, fourier (soft and clean) or phase (the
            light stays); see `dreamvid list spaces`. Default: pixels.
        strength: How strong the dream is, in any preset: 0.5 half as much, 2 twice, by more and
            larger steps. Default: 1.0.
        dream: ascent, turbo (one pass of a small network, many times as fast), or the file of a
            network that `dreamvid turbo` made. Default: ascent.
        layer: Layers to dream: NAME, NAME=WEIGHT, NAME:CHANNEL, NAME:walk(0..9, 2s), number or
            glob. Default: the network's favourite.
        octaves: Number of sizes a frame is dreamed at. Default: 4.
        iterations: Gradient steps at each octave. Default: 10.
        network: The network that dreams; several dream together. Default: pocket.
        weights: Weights of the network: .safetensors, .pth, .caffemodel or .pb. With several
            networks, NAME=FILE for each. Default: the network's own.
        plugins: A Python file that adds motions, presets and more; repeatable. Default: none.
        seed: Random seed; another number gives another dream. Default: 0.
        device: auto, cpu, cuda, cuda:N or mps. Default: auto.
        precision: auto, bf16, fp16, fp32 or fp64. Default: auto.
        background: What shows through transparent pixels: a name or #RRGGBB. Default: black, or
            what the picture shows on.
        depth: Bits per channel of frames on disk: 8 or 16. Default: 8.
        min_free: Stop before the disk has less free than this; the job can be resumed. Default:
            200MB.
    """

def loop(
    seed: Seed | None = None,
    out: str | PathLike[str] | None = None,
    *,
    at: int | str | None = None,
    preset: str = "default",
    config: str | PathLike[str] | None = None,
    job: str | PathLike[str] | None = None,
    overwrite: bool = False,
    tidy: bool = False,
    preview: bool | str = False,
    progress: bool | None = None,
    on_frame: Callable[[int, Any], None] | None = None,
    settings: dict[str, Any] | None = None,
    frames: str | int | None = None,
    seconds: float | str | None = None,
    fps: Fraction | float | str | None = None,
    size: str | int | None = None,
    fit: Literal["crop", "pad", "stretch"] | None = None,
    audio: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
    audio_offset: float | None = None,
    bpm: float | None = None,
    beat_offset: float | None = None,
    flashes: bool | None = None,
    motion: str | Sequence[str] | None = None,
    speed: float | None = None,
    mask: str | PathLike[str] | None = None,
    keep_color: bool | None = None,
    of: str | None = None,
    space: str | None = None,
    strength: float | str | Sequence[Any] | None = None,
    dream: str | None = None,
    layer: str | Sequence[str] | None = None,
    octaves: int | None = None,
    iterations: Sequence[int] | int | str | Sequence[Any] | None = None,
    network: str | Sequence[str] | None = None,
    weights: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
    plugins: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
    device: str | None = None,
    precision: Literal["auto", "fp64", "fp32", "bf16", "fp16"] | None = None,
    background: str | None = None,
    depth: Literal[8, 16] | None = None,
    cadence: int | None = None,
    anchor: float | None = None,
    min_free: int | str | None = None,
) -> Result:
    """Make a film whose last frame flows into its first, and return its path.

    The seed is a picture, or a job folder, whose last frame is taken; without one, noise.

    Args:
        seed: A picture. (The random seed is ``settings={'film': {'seed': 7}}``.)
        out: Where to write the result; the suffix chooses the format. Default: SEED-loop.mp4, or
            noise-loop.mp4.
        at: Of a film as seed, the frame to begin with: its number or a time, 72, 3s, 1:02.5.
        preset: A preset, or a .toml file of settings. Default: default.
        config: Settings laid over the preset's: a TOML file, a job folder, or a film that dreamvid
            made.
        job: The job folder. Default: OUT.dream.
        overwrite: Replace what is there.
        tidy: Remove the job once the film is whole.
        preview: First make small films of the motion alone and of the dream, then ask whether to
            go on; motion or quarter makes just that one.
        progress: Whether a notebook's cell shows how far it is; None: where there is a notebook.
        on_frame: Called with the number of each frame and the frame, a NumPy array (H, W, 3).
        settings: Settings that win over all, such as ``{'ascent': {'step_size': 2.0}}``.
        frames: Length in frames, or as 10s. Default: 300.
        seconds: Length in seconds, instead of --frames. Default: 300 frames.
        fps: Frames per second: 24, 30000/1001. Default: 30.
        size: WxH, the longer side in pixels, or one side: 1920x, x1080. Default: 640.
        fit: Of another shape than the input's: crop, pad (blurred, or --set film.padding=black) or
            stretch it. Default: crop.
        audio: Music to follow and to hear, which the film is as long as: FILE, STEM=FILE or
            NAME=FILE.csv; repeatable. Default: none.
        audio_offset: Where in the music the film begins, in seconds. Default: 0.0.
        bpm: The tempo, in beats a minute. Default: as it is heard.
        beat_offset: Where in the music a bar begins, in seconds. Default: as it is heard.
        flashes: Allow more than three flashes a second; they can cause seizures.
        motion: Motions in the order they are applied; see `dreamvid list motions`. Default:
            zoom,spin.
        speed: How fast the film moves, in any preset: 0.5 half as fast, 2 twice. Default: 1.0.
        mask: A picture: white dreams, black stays. Default: no mask.
        keep_color: Take the brightness of the dream and the colours of the input.
        of: What to dream of, in words: volcano, "volcano, castle", or in turn "0s: forest, 4s:
            city"; see `dreamvid list words`. Default: what the layers see.
        space: The numbers that a dream climbs in: pixels, fourier (soft and clean) or phase (the
            light stays); see `dreamvid list spaces`. Default: pixels.
        strength: How strong the dream is, in any preset: 0.5 half as much, 2 twice, by more and
            larger steps. Default: 1.0.
        dream: ascent, turbo (one pass of a small network, many times as fast), or the file of a
            network that `dreamvid turbo` made. Default: ascent.
        layer: Layers to dream: NAME, NAME=WEIGHT, NAME:CHANNEL, NAME:walk(0..9, 2s), number or
            glob. Default: the network's favourite.
        octaves: Number of sizes a frame is dreamed at. Default: 4.
        iterations: Gradient steps at each octave. Default: 10.
        network: The network that dreams; several dream together. Default: pocket.
        weights: Weights of the network: .safetensors, .pth, .caffemodel or .pb. With several
            networks, NAME=FILE for each. Default: the network's own.
        plugins: A Python file that adds motions, presets and more; repeatable. Default: none.
        device: auto, cpu, cuda, cuda:N or mps. Default: auto.
        precision: auto, bf16, fp16, fp32 or fp64. Default: auto.
        background: What shows through transparent pixels: a name or #RRGGBB. Default: black, or
            what the picture shows on.
        depth: Bits per channel of frames on disk: 8 or 16. Default: 8.
        cadence: Dream every K-th frame; move and blend the others. Default: 1.
        anchor: Share of the drift in brightness, contrast and colour that is undone each second.
            Default: 0.3.
        min_free: Stop before the disk has less free than this; the job can be resumed. Default:
            200MB.
    """

def image(
    seed: Seed,
    out: str | PathLike[str] | None = None,
    *,
    at: int | str | None = None,
    preset: str = "default",
    config: str | PathLike[str] | None = None,
    batch: int = 0,
    log: bool = False,
    overwrite: bool = False,
    progress: bool | None = None,
    on_frame: Callable[[int, Any], None] | None = None,
    settings: dict[str, Any] | None = None,
    size: str | int | None = None,
    fit: Literal["crop", "pad", "stretch"] | None = None,
    mask: str | PathLike[str] | None = None,
    keep_color: bool | None = None,
    of: str | None = None,
    space: str | None = None,
    strength: float | str | Sequence[Any] | None = None,
    dream: str | None = None,
    layer: str | Sequence[str] | None = None,
    octaves: int | None = None,
    iterations: Sequence[int] | int | str | Sequence[Any] | None = None,
    network: str | Sequence[str] | None = None,
    weights: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
    plugins: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
    device: str | None = None,
    precision: Literal["auto", "fp64", "fp32", "bf16", "fp16"] | None = None,
    background: str | None = None,
    keep_alpha: bool | None = None,
    depth: Literal[8, 16] | None = None,
) -> Result | Any:
    """Dream one picture, or every picture in a folder, and return the path of the result.

    Of an array without `out`, the dream is returned as an array of the same kind. `on_frame` is
    called after each step, with the picture at the size of its octave.

    Args:
        seed: A picture. (The random seed is ``settings={'film': {'seed': 7}}``.)
        out: Where to write the result; the suffix chooses the format. Default: SEED-dream.png; of
            a folder, SEED-dream.
        at: Of a film as seed, the frame to begin with: its number or a time, 72, 3s, 1:02.5.
        preset: A preset, or a .toml file of settings. Default: default.
        config: Settings laid over the preset's: a TOML file, a job folder, or a film that dreamvid
            made.
        batch: Of a folder, dream N pictures of a size together; 0 is what suits the device.
            Default: 0.
        log: Write the objective at every step, as CSV and as a plot.
        overwrite: Replace what is there.
        progress: Whether a notebook's cell shows how far it is; None: where there is a notebook.
        on_frame: Called with the number of each frame and the frame, a NumPy array (H, W, 3).
        settings: Settings that win over all, such as ``{'ascent': {'step_size': 2.0}}``.
        size: WxH, the longer side in pixels, or one side: 1920x, x1080. Default: the picture's
            own.
        fit: Of another shape than the input's: crop, pad (blurred, or --set film.padding=black) or
            stretch it. Default: crop.
        mask: A picture: white dreams, black stays. Default: no mask.
        keep_color: Take the brightness of the dream and the colours of the input.
        of: What to dream of, in words: volcano, "volcano, castle", or in turn "0s: forest, 4s:
            city"; see `dreamvid list words`. Default: what the layers see.
        space: The numbers that a dream climbs in: pixels, fourier (soft and clean) or phase (the
            light stays); see `dreamvid list spaces`. Default: pixels.
        strength: How strong the dream is, in any preset: 0.5 half as much, 2 twice, by more and
            larger steps. Default: 1.0.
        dream: ascent, turbo (one pass of a small network, many times as fast), or the file of a
            network that `dreamvid turbo` made. Default: ascent.
        layer: Layers to dream: NAME, NAME=WEIGHT, NAME:CHANNEL, NAME:walk(0..9, 2s), number or
            glob. Default: the network's favourite.
        octaves: Number of sizes a frame is dreamed at. Default: 4.
        iterations: Gradient steps at each octave. Default: 10.
        network: The network that dreams; several dream together. Default: pocket.
        weights: Weights of the network: .safetensors, .pth, .caffemodel or .pb. With several
            networks, NAME=FILE for each. Default: the network's own.
        plugins: A Python file that adds motions, presets and more; repeatable. Default: none.
        device: auto, cpu, cuda, cuda:N or mps. Default: auto.
        precision: auto, bf16, fp16, fp32 or fp64. Default: auto.
        background: What shows through transparent pixels: a name or #RRGGBB. Default: black, or
            what the picture shows on.
        keep_alpha: Keep the picture's transparency.
        depth: Bits per channel of frames on disk: 8 or 16. Default: 8.
    """

def frames(
    source: Seed,
    *,
    at: int | str | None = None,
    preset: str | None = None,
    config: str | PathLike[str] | None = None,
    progress: bool | None = False,
    settings: dict[str, Any] | None = None,
    start: int | str | None = None,
    end: int | str | None = None,
    frames: str | int | None = None,
    seconds: float | str | None = None,
    fps: Fraction | float | str | None = None,
    size: str | int | None = None,
    fit: Literal["crop", "pad", "stretch"] | None = None,
    audio: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
    audio_offset: float | None = None,
    bpm: float | None = None,
    beat_offset: float | None = None,
    flashes: bool | None = None,
    fade_in: str | int | None = None,
    fade_out: str | int | None = None,
    motion: str | Sequence[str] | None = None,
    speed: float | None = None,
    carry: str | None = None,
    flow: str | None = None,
    bars: Literal["keep", "dream"] | None = None,
    mask: str | PathLike[str] | None = None,
    keep_color: bool | None = None,
    strict: bool | None = None,
    sound_track: int | None = None,
    of: str | None = None,
    space: str | None = None,
    strength: float | str | Sequence[Any] | None = None,
    dream: str | None = None,
    layer: str | Sequence[str] | None = None,
    octaves: int | None = None,
    iterations: Sequence[int] | int | str | Sequence[Any] | None = None,
    network: str | Sequence[str] | None = None,
    weights: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
    plugins: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
    seed: int | None = None,
    device: str | None = None,
    precision: Literal["auto", "fp64", "fp32", "bf16", "fp16"] | None = None,
    background: str | None = None,
    depth: Literal[8, 16] | None = None,
    min_free: int | str | None = None,
    cadence: int | None = None,
    anchor: float | None = None,
) -> Iterator[Any]:
    """Yield the frames of a zoom into a picture, or of a dream over a film, as they are dreamed.

    Each is a NumPy array (H, W, 3) of uint8, or of the kind of array that `source` is. No film is
    made, and nothing is left behind. It takes the flags of the command, `zoom` or `video`.

    Args:
        source: A film.
        at: Of a film as seed, the frame to begin with: its number or a time, 72, 3s, 1:02.5.
        preset: A preset, or a .toml file of settings. Default: default.
        config: Settings laid over the preset's: a TOML file, a job folder, or a film that dreamvid
            made.
        progress: Whether a notebook's cell shows how far it is; None: where there is a notebook.
        settings: Settings that win over all, such as ``{'ascent': {'step_size': 2.0}}``.
        start: Where in the film to begin: a frame or a time, 120, 2.5s, 1:02.5. Default: 0.
        end: The first frame or time to leave out. Default: the film's end.
        frames: Length in frames, or as 10s. Default: 300.
        seconds: Length in seconds, instead of --frames. Default: 300 frames.
        fps: Frames per second: 24, 30000/1001. Default: 30.
        size: WxH, the longer side in pixels, or one side: 1920x, x1080. Default: 640.
        fit: Of another shape than the input's: crop, pad (blurred, or --set film.padding=black) or
            stretch it. Default: crop.
        audio: Music to follow and to hear, which the film is as long as: FILE, STEM=FILE or
            NAME=FILE.csv; repeatable. Default: none.
        audio_offset: Where in the music the film begins, in seconds. Default: 0.0.
        bpm: The tempo, in beats a minute. Default: as it is heard.
        beat_offset: Where in the music a bar begins, in seconds. Default: as it is heard.
        flashes: Allow more than three flashes a second; they can cause seizures.
        fade_in: Begin as the input, which melts into the dream: 3s, or frames. Default: 0.
        fade_out: End with the dream melting back into the input: 3s, or frames. Default: 0.
        motion: Motions in the order they are applied; see `dreamvid list motions`. Default:
            zoom,spin.
        speed: How fast the film moves, in any preset: 0.5 half as fast, 2 twice. Default: 1.0.
        carry: How a dream goes on to the next frame; see `dreamvid list carries`. Default: flow.
        flow: How the motion of a film is found; see `dreamvid list flows`. Default: dis.
        bars: Black bars around the film's picture: keep them, or dream over them. Default: keep.
        mask: A picture or a film: white dreams, black stays. Default: no mask.
        keep_color: Take the brightness of the dream and the colours of the input.
        strict: Refuse a damaged film.
        sound_track: Which of several sound tracks is kept, from 1 on. Default: the film's default
            one.
        of: What to dream of, in words: volcano, "volcano, castle", or in turn "0s: forest, 4s:
            city"; see `dreamvid list words`. Default: what the layers see.
        space: The numbers that a dream climbs in: pixels, fourier (soft and clean) or phase (the
            light stays); see `dreamvid list spaces`. Default: pixels.
        strength: How strong the dream is, in any preset: 0.5 half as much, 2 twice, by more and
            larger steps. Default: 1.0.
        dream: ascent, turbo (one pass of a small network, many times as fast), or the file of a
            network that `dreamvid turbo` made. Default: ascent.
        layer: Layers to dream: NAME, NAME=WEIGHT, NAME:CHANNEL, NAME:walk(0..9, 2s), number or
            glob. Default: the network's favourite.
        octaves: Number of sizes a frame is dreamed at. Default: 4.
        iterations: Gradient steps at each octave. Default: 10.
        network: The network that dreams; several dream together. Default: pocket.
        weights: Weights of the network: .safetensors, .pth, .caffemodel or .pb. With several
            networks, NAME=FILE for each. Default: the network's own.
        plugins: A Python file that adds motions, presets and more; repeatable. Default: none.
        seed: Random seed; another number gives another dream. Default: 0.
        device: auto, cpu, cuda, cuda:N or mps. Default: auto.
        precision: auto, bf16, fp16, fp32 or fp64. Default: auto.
        background: What shows through transparent pixels: a name or #RRGGBB. Default: black, or
            what the picture shows on.
        depth: Bits per channel of frames on disk: 8 or 16. Default: 8.
        min_free: Stop before the disk has less free than this; the job can be resumed. Default:
            200MB.
        cadence: Dream every K-th frame; move and blend the others. Default: 1.
        anchor: Share of the drift in brightness, contrast and colour that is undone each second.
            Default: 0.3.
    """

def sheet(
    seed: str | PathLike[str],
    out: str | PathLike[str] | None = None,
    *,
    preset: str = "default",
    config: str | PathLike[str] | None = None,
    of: str | Sequence[str] | None = None,
    across: dict[str, str | Sequence[Any]] | None = None,
    overwrite: bool = False,
    settings: dict[str, Any] | None = None,
    size: str | int | None = None,
    space: str | None = None,
    layer: str | Sequence[str] | None = None,
    iterations: Sequence[int] | int | str | Sequence[Any] | None = None,
    octaves: int | None = None,
    network: str | Sequence[str] | None = None,
    weights: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
    plugins: str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
    device: str | None = None,
    precision: Literal["auto", "fp64", "fp32", "bf16", "fp16"] | None = None,
) -> Result:
    """Dream one picture in many ways, side by side, and return the path of the sheet.

    `of` are words, a cell for each. `across` says what else differs, such as
    ``{"iterations": "5,10,20", "presets": "all"}``; see
    `dreamvid.studies.sheets.axes`.

    Args:
        seed: A picture. (The random seed is ``settings={'film': {'seed': 7}}``.)
        out: Where to write the sheet. Default: SEED-sheet.png.
        preset: A preset, or a .toml file of settings. Default: default.
        config: Settings laid over the preset's: a TOML file, a job folder, or a film that dreamvid
            made.
        of: Rows: dreams of these words; see `dreamvid list words`.
        across: What differs from cell to cell.
        overwrite: Replace what is there.
        settings: Settings that win over all, such as ``{'ascent': {'step_size': 2.0}}``.
        size: Size of each cell: WxH, or the longer side. Default: 320.
        space: The numbers that a dream climbs in: pixels, fourier (soft and clean) or phase (the
            light stays); see `dreamvid list spaces`. Default: pixels.
        layer: A row for each layer that this names. Default: eight from all over the network.
        iterations: Gradient steps at each octave. Default: 10.
        octaves: Number of sizes a frame is dreamed at. Default: 4.
        network: The network that dreams; several dream together. Default: pocket.
        weights: Weights of the network: .safetensors, .pth, .caffemodel or .pb. With several
            networks, NAME=FILE for each. Default: the network's own.
        plugins: A Python file that adds motions, presets and more; repeatable. Default: none.
        device: auto, cpu, cuda, cuda:N or mps. Default: auto.
        precision: auto, bf16, fp16, fp32 or fp64. Default: auto.
    """
