"""Figures as tables for a person."""

import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from dreamvid.machine.streams import lasting

MOST_OPERATIONS = 15


def print_tables(figures: dict[str, Any]) -> None:
    """Print the figures of `benchmark` to standard output."""
    console = Console(file=lasting(sys.stdout), highlight=False)
    octaves, ascent = figures["settings"]["octaves"], figures["settings"]["ascent"]
    console.print(
        f"{figures['network']} {' '.join(figures['layers'])}, {figures['size']}, "
        f"{octaves['count']} octaves of {octaves['scale']}, {ascent['iterations']} steps, "
        f"{figures['step_gflop']:.1f} GFLOP a step at full size\n"
        f"{figures['device']}, {figures['threads']} threads, torch {figures['torch']}, "
        f"medians of {figures['repeats']}",
        soft_wrap=True,
    )
    for told in figures["slower_here"]:
        console.print(f"torch's own way for {told}", soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for name in ("s/frame", "s/step", "GFLOP/s", "of matrix rate", "of both roofs", "peak memory"):
        table.add_column(name, justify="right")
    others = [name for name in ("plain", "pytorch-deepdream") if name in figures]
    for name in others:
        table.add_column(f"× {name}", justify="right")
    for precision, ours in figures["ours"].items():
        table.add_row(
            precision,
            *_times(ours),
            f"{ours['gflop_per_second']:.0f}",
            f"{ours['of_matrix_rate']:.2f} of {ours['matrix_gflop_per_second']:.0f}",
            f"{ours['of_both_roofs']:.2f}",
            _bytes(ours["peak_bytes"]),
            *(f"{ours[f'times_{other}']:.2f}" for other in others),
        )
    for name in others:
        table.add_row(name, *_times(figures[name]), "", "", "", _bytes(figures[name]["peak_bytes"]))
    console.print(table)
    for precision, ours in figures["ours"].items():
        _print_more(console, precision, ours)


def _print_more(console: Console, precision: str, ours: dict[str, Any]) -> None:
    """What has no place in the table."""
    console.print(
        f"{precision}: ready in {ours['load_seconds']:.2f} s, "
        f"the first frame took {ours['first_frame_seconds']:.2f} s; "
        f"a copy moves {ours['copied_gb_per_second']:.1f} GB/s"
    )
    if "film" in ours:
        film = ours["film"]
        console.print(
            f"{precision}: a film of {film['frames']} frames ran at "
            f"{film['frames_per_second']:.2f} fps, {film['around_the_dream']:.1%} of its time "
            "around the dream"
        )
    if "octave_step_seconds" in ours:
        steps = ", ".join(
            f"{size} {1000 * seconds:.2f}" for size, seconds in ours["octave_step_seconds"].items()
        )
        console.print(
            f"{precision}: ms a step: {steps}; {ours['kernels']} kernels, "
            f"{ours['recorded_steps']} steps recorded"
        )
    if "busy_frame_seconds" in ours:
        console.print(
            f"{precision}: {ours['busy_frame_seconds']:.3f} s/frame beside a busy core, "
            f"{ours['times_slower_when_busy']:.2f} times as long"
        )
    if "profile" in ours:
        console.print(_operations(precision, ours["profile"]))


def _times(figures: dict[str, Any]) -> tuple[str, str]:
    return f"{figures['frame_seconds']:.3f}", f"{figures['step_seconds']:.4f}"


def _bytes(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count else ""


def _operations(precision: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(f"operation ({precision})")
    table.add_column("calls", justify="right")
    table.add_column("share", justify="right")
    for row in rows[:MOST_OPERATIONS]:
        table.add_row(row["operation"], str(row["calls"]), f"{row['share']:.1%}")
    return table
