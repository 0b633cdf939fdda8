"""What people try that other programs have, and how it is called here."""

TRIED = {
    "--length": "--seconds 10 or --frames 300",
    "--duration": "--seconds 10",
    "--max-frames": "--frames 300",
    "--frame-rate": "--fps 24",
    "--framerate": "--fps 24",
    "--width": "--size 1280x720",
    "--height": "--size 1280x720",
    "--resolution": "--size 1280x720",
    "--output": "-o FILE",
    "--force": "--overwrite",
    "--zoom": "--set motion.zoom.rate=1.3",
    "--angle": "--set motion.spin.rate=12",
    "--style": "--preset NAME or --layer NAME",
    "--model": "--network NAME",
    "--steps": "--iterations 10",
    "--guide": "--set objective.name=guide --set objective.picture=FILE",
    "--image": "SEED without a flag",
    "--input": "the file without a flag",
    "--boomerang": "`dreamvid encode JOB --boomerang` once the film is made",
    "--reverse": "`dreamvid encode JOB --reverse` once the film is made",
}
"""Flags that are none of ours, with what to write instead."""


def told(error: Exception) -> str:
    """What a usage error says, with what to write instead where that is known."""
    name = getattr(error, "option_name", None)
    if name in TRIED:
        return f"No such option: {name}; write {TRIED[name]}"
    said = error.format_message()  # pyright: ignore[reportAttributeAccessIssue]
    about = getattr(getattr(error, "param", None), "help", None)
    if about and said.startswith("Missing argument"):
        said = f"{said.rstrip('.')}: {about}"
    return said
