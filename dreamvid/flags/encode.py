"""The flags of finished frames that become another film, and of depths."""

from dreamvid.flags.table import FLAGS, Flag

ENCODE: dict[str, Flag] = {
    "encode.out": FLAGS["out"]._replace(unset="where the job's film is"),
    "encode.fps": Flag(
        "Frames per second; the film plays as fast. Frames are left out, or moved to between two.",
        "RATE",
        unset="the first job's",
    ),
    "encode.start": FLAGS["start"]._replace(sets="", default="0"),
    "encode.end": FLAGS["end"]._replace(sets=""),
    "encode.speed": Flag("Play so many times as fast: 2, 0.5.", "FACTOR", unset="1"),
    "encode.reverse": Flag("Play the frames backwards.", kind="switch"),
    "encode.boomerang": Flag("Play them forwards, then backwards.", kind="switch"),
    "encode.fade": Flag("Fade each job into the next, so long.", "SECONDS", unset="a cut"),
    "encode.audio": Flag(
        "Lay the sound of this file under the film.", "FILE", kind="file", unset="the input's"
    ),
    "encode.through": Flag(
        "Pass the frames through a program of yours, which reads pictures in the folder {in} and "
        "writes others into {out}; there is no shell.",
        "COMMAND",
    ),
    "encode.upscale": Flag(
        "Enlarge so many times by the network of --upscaler.",
        "N",
        kind="whole",
        unset="as much as it does",
        least=2,
    ),
    "encode.upscaler": Flag(
        "A network that enlarges pictures, any that spandrel reads.", "FILE", kind="file"
    ),
    "depth.out": FLAGS["out"]._replace(
        help="Where to write it: a PNG of a picture, a folder of them of a film.",
        unset="INPUT-depth",
    ),
    "depth.model": Flag(
        "A depth network of yours, as ONNX or TorchScript.",
        "FILE",
        kind="file",
        unset="of a film, its own parallax",
    ),
    "depth.distances": Flag("The network gives distances, not one divided by them.", kind="switch"),
    "depth.fov": Flag(
        "How many degrees the film's view is wide, for its parallax.",
        "DEGREES",
        kind="whole",
        default=60,
        least=5,
    ),
}
