"""The command that measures how fast it is."""

import json
from importlib import import_module

from dreamvid.cli.app import progress_for, tell
from dreamvid.cli.command import Asked, command


@command("dreamvid bench --size 640x360 --compare plain,film")
def bench(
    asked: Asked,
    size: str,
    repeats: int,
    compare: list[str] | None,
    profile: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Measure how fast the dream is here, and how near to the limit of the machine."""
    settings = asked.settings()
    benches = import_module("dreamvid.bench")
    sizes = import_module("dreamvid.sizes")
    names = ",".join(["plain"] if compare is None else compare).split(",")
    with progress_for(quiet) as progress:
        figures = benches.benchmark(
            settings,
            sizes.parsed_size(size, sizes.Size(575, 1024)),
            repeats=repeats,
            comparisons=[name.strip() for name in names if name.strip()],
            profile=profile,
            say=progress.say,
        )
    if as_json:
        tell(json.dumps(figures, indent=1) + "\n")
    else:
        benches.print_tables(figures)
