"""Flags of the commands for many machines."""

from dreamvid.flags.table import Flag

_PLAN_OUT = Flag("The plan's folder, new.", "DIR", kind="file", names=("-o", "--out"))
FARM: dict[str, Flag] = {
    "plan video.out": _PLAN_OUT._replace(unset="INPUT-plan"),
    "plan image.out": _PLAN_OUT._replace(unset="FOLDER-plan"),
    "plan sweep.out": _PLAN_OUT._replace(unset="SWEEP-plan"),
    "plan zoom.out": _PLAN_OUT._replace(unset="SEED-plan"),
    "plan loop.out": _PLAN_OUT._replace(unset="SEED-plan"),
    "plan video.chunks": Flag(
        "Cut shots of more than N frames into chunks; they differ a little where they meet.",
        "N",
        kind="whole",
        least=2,
        unset="shots stay whole",
    ),
    "work.unit": Flag(
        "Make one unit of the plan only, and wait for nobody: its name, its number from 1 on, or a "
        "range of numbers such as 3:8.",
        "UNIT",
        unset="all of them",
    ),
    "farm.address": Flag(
        "Of a Ray cluster: HOST:PORT, or auto.", "ADDRESS", unset="Ray is started here"
    ),
    "farm.workers": Flag(
        "How many workers.",
        "N",
        kind="whole",
        least=1,
        unset="one for each GPU, or as many as there are processors for",
    ),
    "farm.no_shared_folder": Flag(
        "Send each unit to its worker by content and bring its frames back: the nodes of the "
        "cluster need not see the plan's folder.",
        kind="switch",
    ),
    "farm.retry": Flag("Try units again that three workers have failed at.", kind="switch"),
    "work.retry": Flag("Try units again that three workers have failed at.", kind="switch"),
    "measure.joint": Flag(
        "Tell how the film goes on at frame N, where two chunks meet; repeatable.",
        "N",
        kind="whole",
        least=1,
        several=True,
    ),
}
"""By command and name."""
