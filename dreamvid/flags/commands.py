"""Which flags each command takes, and those that are there only."""

from dreamvid.flags.encode import ENCODE
from dreamvid.flags.farm import FARM
from dreamvid.flags.table import FLAGS, Flag

OWN: dict[str, Flag] = {
    "zoom.out": FLAGS["out"]._replace(unset="SEED-zoom.mp4"),
    "video.out": FLAGS["out"]._replace(unset="INPUT-video.mp4"),
    "video.frames": FLAGS["frames"]._replace(unset="to the film's end"),
    "video.seconds": FLAGS["seconds"]._replace(unset="to the film's end"),
    "video.fps": FLAGS["fps"]._replace(unset="the film's own"),
    "video.audio": FLAGS["audio"]._replace(unset="the film's own sound"),
    "video.size": FLAGS["size"]._replace(unset="the film's own, at most {FILM_SIDE}"),
    "video.motion": FLAGS["motion"]._replace(
        help="camera: it travels through the film; see motion.camera.depth.",
        metavar="camera",
        unset="the film's own",
    ),
    "video.preset": FLAGS["preset"]._replace(default="video"),
    "loop.out": FLAGS["out"]._replace(unset="SEED-loop.mp4, or noise-loop.mp4"),
    "image.out": FLAGS["out"]._replace(unset="SEED-dream.png; of a folder, SEED-dream"),
    "image.size": FLAGS["size"]._replace(unset="the picture's own"),
    "image.mask": FLAGS["mask"]._replace(help="A picture: white dreams, black stays."),
    "loop.mask": FLAGS["mask"]._replace(help="A picture: white dreams, black stays."),
    "image.batch": Flag(
        "Of a folder, dream N pictures of a size together; 0 is what suits the device.",
        "N",
        kind="whole",
        default=0,
        least=0,
    ),
    "image.log": Flag("Write the objective at every step, as CSV and as a plot.", kind="switch"),
    "resume.frames": FLAGS["frames"]._replace(
        help="A new length in frames, or as 10s.", unset="the job's"
    ),
    "resume.seconds": FLAGS["seconds"]._replace(unset="the job's"),
    "resume.out": FLAGS["out"]._replace(unset="where the job's film is"),
    "resume.min_free": FLAGS["min_free"]._replace(unset="the job's"),
    "resume.source": Flag(
        "Where the input film is now; its content must be the same.",
        "FILE",
        kind="file",
        unset="where it was, or beside the job",
    ),
    "run.check": Flag("Check all jobs and make none.", kind="switch"),
    "clean.yes": Flag("Ask nothing.", kind="switch", names=("-y", "--yes")),
    "sheet.out": FLAGS["out"]._replace(help="Where to write the sheet.", unset="SEED-sheet.png"),
    "sheet.size": FLAGS["size"]._replace(
        help="Size of each cell: WxH, or the longer side.", unset="{CELL_SIDE}"
    ),
    "sheet.layer": FLAGS["layer"]._replace(
        help="A row for each layer that this names.", unset="eight from all over the network"
    ),
    "sheet.of": Flag(
        "Rows: dreams of these words; see `dreamvid list words`.", "A,B", several=True
    ),
    "sheet.channels": Flag(
        "Rows: the channels of one layer that are not dead: 0:64, 3,7 or all.", "A:B", several=True
    ),
    "sheet.presets": Flag("Rows: presets, or all.", "A,B", several=True),
    "sheet.networks": Flag("Rows: networks.", "A,B", several=True),
    "sheet.iterations": FLAGS["iterations"]._replace(
        help="Columns: gradient steps at each octave; a single number is for all.",
        metavar="N,N",
        several=True,
    ),
    "sheet.octaves": FLAGS["octaves"]._replace(
        help="Columns: number of sizes; a single number is for all.", metavar="N,N", several=True
    ),
    "sheet.steps": Flag(
        "Columns: one dream after these numbers of steps in all.", "N,N", several=True
    ),
    "explain.out": FLAGS["out"]._replace(
        help="Where to write the drawing.", unset="SEED-explain.png"
    ),
    "explain.size": FLAGS["size"]._replace(unset="the picture's own, at most 640"),
    "measure.loop": Flag(
        "Measure how the end of this film meets its beginning.", "FILM", kind="file"
    ),
    "measure.out": FLAGS["out"]._replace(
        help="Where to write the CSV; the plot goes beside it.", unset="DREAM-measure.csv"
    ),
    "listen.out": FLAGS["out"]._replace(
        help="Where to write the picture; the CSV goes beside it.", unset="SONG-listen.png"
    ),
    "listen.fps": FLAGS["fps"]._replace(help="Rows of the CSV, and frames, a second."),
    "listen.preset": FLAGS["preset"]._replace(
        help="Whose motion the preview has: a preset, or a .toml file.", default="pulse"
    ),
    "listen.preview": Flag(
        "Also make a small film of the motion alone, with the sound.", kind="switch"
    ),
    "bench.size": Flag("Size of the picture.", "WxH", default="1024x575"),
    "bench.repeats": Flag("How often each time is taken.", "N", kind="whole", default=5, least=1),
    "bench.compare": Flag(
        "What to measure beside it: plain, pytorch-deepdream, film, busy.",
        "A,B",
        unset="plain",
        several=True,
    ),
    "bench.profile": Flag("Show where the time goes.", kind="switch"),
    "bench.as_json": Flag(
        "Print the figures as JSON instead of tables.", kind="switch", names=("--json",)
    ),
    "doctor.as_json": Flag(
        "Print what is found as JSON instead of lines.", kind="switch", names=("--json",)
    ),
    "distil.images": Flag("A folder of pictures, read with its subfolders.", "DIR", kind="file"),
    "distil.out": FLAGS["out"]._replace(
        help="Where to write the student.", unset="TEACHER-pocket.safetensors"
    ),
    "distil.layers": Flag(
        "Layers of the teacher to learn.",
        "A,B",
        unset="for googlenet, pool1 to inception_4d",
        several=True,
    ),
    "distil.steps": Flag("Training steps.", "N", "recipe.steps", "number", "12500"),
    "distil.batch": Flag("Pictures per step.", "N", "recipe.batch", "number", "16"),
    "distil.side": Flag("Side of the pictures in pixels.", "N", "recipe.side", "number", "112"),
    "distil.seed": Flag("Random seed.", "N", "recipe.seed", "number", "0"),
    "distil.assign": FLAGS["assign"]._replace(
        help="Another number of the recipe; repeatable.", metavar="NAME=VALUE"
    ),
    "distil.every": Flag("Steps between checkpoints.", "N", kind="whole", default=250, least=1),
    "distil.check": Flag("Train nothing; measure this student.", "FILE", kind="file"),
    "distil.precision": Flag("Of the student: auto, bf16 or fp32.", "KIND", default="auto"),
    "distil.resume": Flag("Go on from a checkpoint.", kind="switch"),
    "train.out": FLAGS["out"]._replace(
        help="Where to write the weights.", unset="DIR-NETWORK.safetensors"
    ),
    "train.network": Flag(
        "pocket or one of torchvision's.", "NAME", "recipe.network", unset="pocket"
    ),
    "train.weights": Flag(
        "Weights to start from.", "FILE", "recipe.weights", "file", "from scratch"
    ),
    "train.pretrained": Flag(
        "Start from the network's own weights.", sets="recipe.pretrained", kind="switch"
    ),
    "train.side": Flag(
        "Side of the pictures in pixels.",
        "N",
        "recipe.side",
        "number",
        "64 for pocket, 224 for others",
    ),
    "train.epochs": Flag("How often each picture is seen.", "N", "recipe.epochs", "number", "30"),
    "train.batch": Flag("Pictures per step.", "N", "recipe.batch", "number", "16"),
    "train.optimiser": Flag(
        "sgd, adam or adamw.",
        "NAME",
        "recipe.optimiser",
        unset="adamw",
        names=("--optimiser", "--optimizer"),
    ),
    "train.learning_rate": Flag(
        "The highest learning rate.",
        "RATE",
        "recipe.learning_rate",
        "number",
        "chosen for the optimiser",
    ),
    "train.held_out": Flag(
        "Share of each class that is kept for the test.",
        "SHARE",
        "recipe.held_out",
        "number",
        "0.2",
    ),
    "train.patience": Flag(
        "Stop after N epochs without a better one; 0 never stops early.",
        "N",
        "recipe.patience",
        "number",
        "0",
    ),
    "train.seed": Flag("Random seed.", "N", "recipe.seed", "number", "0"),
    "train.resume": Flag("Go on where it stopped, with its settings.", kind="switch"),
    **ENCODE,
    **FARM,
    "studio.port": Flag(
        "Where on this machine the page is; 0 is any that is free.",
        "N",
        kind="whole",
        default=8765,
        least=0,
    ),
    "studio.host": Flag(
        "Listen on this address; others than 127.0.0.1 need the token that is printed then.",
        "ADDRESS",
        default="127.0.0.1",
    ),
    "studio.no_browser": Flag("Open no browser.", kind="switch"),
    "live.to": Flag(
        "Where the dream goes: window, page, camera (a virtual one), ndi, spout, syphon, none.",
        "A,B",
        unset="window",
        several=True,
    ),
    "live.dream": FLAGS["dream"]._replace(unset="turbo, or ascent for what turbo has not learned"),
    "live.size": FLAGS["size"]._replace(unset="480"),
    "live.fps": FLAGS["fps"]._replace(
        help="Frames a second to hold; steps, octaves and size go down for it.", unset="15"
    ),
    "live.frames": FLAGS["frames"]._replace(help="End after so many frames.", unset="never"),
    "live.record": Flag("Also make a film, by a job folder beside it.", "FILE", kind="file"),
    "live.every": Flag("Dream every frame of a film, however long it takes.", kind="switch"),
    "live.presets": Flag("Presets that the next-preset key goes through.", "A,B", several=True),
    "live.osc": Flag("Listen to OSC at this port.", "PORT", kind="whole", least=0),
    "live.port": Flag("Of the page.", "PORT", kind="whole", default=8767, least=0),
    "live.midi": Flag("Listen to MIDI; what knobs do is kept in FILE.", "FILE", kind="file"),
    "live.learn": Flag('What the next knob that is moved does: "strength 0 4".', "WORD"),
    "live.hear": Flag(
        "Pulse with the bass of a sound input: default, a part of its name, or its number.",
        "DEVICE",
    ),
    "turbo.images": Flag("A folder of pictures, read with its subfolders.", "DIR", kind="file"),
    "turbo.out": FLAGS["out"]._replace(
        help="Where to write the network; of an export, .onnx or .pt.",
        unset="PRESET.turbo.safetensors",
    ),
    "turbo.layers": Flag(
        "Layers that it learns beside the preset's own.", "A,B", unset="none", several=True
    ),
    "turbo.further": Flag("Begin with this network; turbo: dreamvid's own.", "FILE", kind="file"),
    "turbo.steps": Flag("Training steps.", "N", "recipe.steps", "number", "12000"),
    "turbo.batch": Flag("Pictures per step.", "N", "recipe.batch", "number", "8"),
    "turbo.side": Flag("Side of the pictures in pixels.", "N", "recipe.side", "number", "112"),
    "turbo.seed": Flag("Random seed.", "N", "recipe.seed", "number", "0"),
    "turbo.assign": FLAGS["assign"]._replace(
        help="Another number of the recipe; repeatable.", metavar="NAME=VALUE"
    ),
    "turbo.every": Flag("Steps between checkpoints.", "N", kind="whole", default=100, least=1),
    "turbo.check": Flag("Train nothing; measure this network.", "FILE", kind="file"),
    "turbo.resume": Flag("Go on from a checkpoint.", kind="switch"),
    "weights fetch.offline": Flag("Download nothing: check what is here.", kind="switch"),
}
"""Flags that mean something else, or are there only, in one command: by command and name."""

_LENGTH = "frames seconds fps size fit"
_DREAM = (
    "preset of space strength dream layer octaves iterations network weights config assign plugins "
    "seed device precision"
)
_MUSIC = "audio audio_offset bpm beat_offset flashes"
_RUN = "min_free job overwrite tidy quiet"
_PLAN = "silence format quiet"
COMMANDS: dict[str, str] = {
    "zoom": f"out at {_LENGTH} {_MUSIC} fade_in fade_out motion speed mask keep_color {_DREAM} "
    f"background depth cadence anchor preview {_RUN}",
    "video": f"out start end {_LENGTH} {_MUSIC} fade_in fade_out motion speed carry flow bars "
    f"mask keep_color strict sound_track {_DREAM} background depth {_RUN}",
    "loop": f"out at {_LENGTH} {_MUSIC} motion speed mask keep_color {_DREAM} background depth "
    f"cadence anchor preview {_RUN}",
    "image": f"out at size fit mask keep_color {_DREAM} background keep_alpha depth batch log "
    "overwrite quiet",
    "plan video": f"out result per_unit chunks start end {_LENGTH} {_MUSIC} fade_in fade_out "
    f"motion speed carry flow bars mask keep_color strict sound_track {_DREAM} background depth "
    f"min_free {_PLAN}",
    "plan image": f"out per_unit size fit mask keep_color {_DREAM} background keep_alpha depth "
    f"batch {_PLAN}",
    "plan zoom": f"out result at {_LENGTH} {_MUSIC} fade_in fade_out motion speed mask keep_color "
    f"{_DREAM} background depth cadence anchor min_free {_PLAN}",
    "plan loop": f"out result at {_LENGTH} {_MUSIC} motion speed mask keep_color {_DREAM} "
    f"background depth cadence anchor min_free {_PLAN}",
    "plan sweep": f"out {_PLAN}",
    "farm": "address workers no_shared_folder retry quiet",
    "work": "unit retry quiet",
    "live": "to size fps frames record every presets osc port midi learn hear preset strength "
    "dream layer octaves iterations carry network weights config assign plugins device precision "
    "overwrite quiet",
    "resume": "out frames seconds source min_free overwrite tidy quiet",
    "encode": "out fps start end speed reverse boomerang fade audio through upscale upscaler "
    "assign overwrite quiet",
    "depth": "out model distances fov overwrite quiet",
    "run": "check quiet",
    "jobs": "",
    "clean": "yes",
    "studio": "port host no_browser",
    "info": "",
    "list": "weights plugins",
    "show": "plugins",
    "sheet": "out size of space layer channels presets networks iterations octaves steps preset "
    "network weights config assign plugins seed device precision overwrite quiet",
    "explain": f"out size {_DREAM} overwrite quiet",
    "listen": "out fps audio_offset bpm beat_offset preview preset motion assign overwrite quiet",
    "measure": "loop joint out start flow layer network weights assign plugins device precision "
    "overwrite quiet",
    "weights list": "",
    "weights fetch": "offline",
    "weights verify": "",
    "weights path": "",
    "bench": "size preset layer octaves iterations network weights config assign plugins device "
    "precision repeats compare profile as_json quiet",
    "doctor": "as_json",
    "completion": "plugins",
    "man": "",
    "distil": "images out layers steps batch side seed every weights assign check device precision "
    "resume overwrite quiet",
    "train": "out network weights pretrained side epochs batch optimiser learning_rate held_out "
    "patience seed device resume overwrite quiet",
    "turbo": "images out layers further steps batch side seed every assign check device resume "
    "overwrite quiet",
}
"""The flags of each command, in the order people need them."""

COMMAND_LINE = ("assign", "quiet")
"""What only the command line has; Python has ``settings`` for the one, and is quiet."""


def flags_of(command: str) -> dict[str, Flag]:
    """The flags of a command by name, in order."""
    # What is planned takes the flags of what is made.
    made = command.removeprefix("plan ")
    return {
        name: OWN.get(f"{command}.{name}") or OWN.get(f"{made}.{name}") or FLAGS[name]
        for name in COMMANDS[command].split()
    }
