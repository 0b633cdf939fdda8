"""Commands that list what there is, and show what networks see and dream."""

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from dreamvid.cli.app import print_path, progress_for, tell
from dreamvid.cli.command import Asked, command
from dreamvid.errors import SettingsError

Picture = Annotated[Path, typer.Argument(metavar="SEED", help="A picture.")]
_KINDS = "networks|layers|objectives|motions|carries|flows|presets|encoders|settings|words"


@command("dreamvid list motions", name="list")
def list_(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=f"{_KINDS}.")],
    name: Annotated[
        str | None, typer.Argument(metavar="NETWORK", help="With layers: of which network.")
    ] = None,
    *,
    weights: list[str] | None,
    plugins: list[str] | None,
) -> None:
    """List what there is to choose from, with the options of each."""
    loading = import_module("dreamvid.settings.plugin_loading")
    loading.load_installed()
    loading.load(plugins or ())
    import_module("dreamvid.cli.listing").print_list(kind, name, weights or ())


@command("dreamvid show setting ascent.later")
def show(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="preset|motion|setting|word.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name.")],
    *,
    plugins: list[str] | None,
) -> None:
    """Show one preset, motion, setting or word: what it does, its options, what it means."""
    loading = import_module("dreamvid.settings.plugin_loading")
    loading.load_installed()
    loading.load(plugins or ())
    import_module("dreamvid.cli.listing").print_shown(kind, name)


@command("dreamvid sheet seed.jpg --layer '4*' --iterations 5,10,20")
def sheet(
    seed: Picture,
    asked: Asked,
    out: Path | None,
    of: list[str] | None,
    channels: list[str] | None,
    presets: list[str] | None,
    networks: list[str] | None,
    iterations: list[str] | None,
    octaves: list[str] | None,
    steps: list[str] | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Dream one picture in many ways, labelled and side by side."""
    from dreamvid.settings import flagged, laid_over

    across = {
        "of": of,
        "channels": channels,
        "presets": presets,
        "networks": networks,
        "steps": steps,
    }
    single = {}
    for name, texts in {"iterations": iterations, "octaves": octaves}.items():
        text = ",".join(texts or [])
        # A list in brackets is a setting of its own: a number for each octave.
        if "," in text and not text.lstrip().startswith("["):
            across[name] = texts
        elif texts:
            single[name] = text
    sheets = import_module("dreamvid.studies.sheets")
    wanted = sheets.Asked(
        asked.preset,
        asked.config,
        laid_over(asked.flags, flagged(single, "sheet")),
        asked.assigned,
        {name: ",".join(texts) for name, texts in across.items() if texts is not None},
    )
    target = out or Path(f"{seed.stem}-sheet.png")
    with progress_for(quiet, "cell") as progress:
        made = sheets.sheet(seed, target, wanted, overwrite=overwrite, progress=progress)
    print_path(made)


@command("dreamvid explain photo.jpg --network googlenet --weights bvlc_googlenet.caffemodel")
def explain(
    seed: Picture,
    dream: Annotated[
        Path | None,
        typer.Argument(metavar="DREAM", help="A dream of it. [default: dreamed here and now]"),
    ] = None,
    *,
    asked: Asked,
    out: Path | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Tell what the network sees in a picture before and after the dream, and draw where."""
    settings = asked.settings()
    target = out or Path(f"{seed.stem}-explain.png")
    with progress_for(quiet, "step") as progress:
        told = import_module("dreamvid.studies.explain").explain(
            seed, target, settings, dream=dream, overwrite=overwrite, progress=progress
        )
    import_module("dreamvid.cli.listing").print_explanation(told.sections())
    print_path(target)


@command("dreamvid listen song.wav --preview")
def listen(
    song: Annotated[Path, typer.Argument(metavar="SONG", help="Any file with sound.")],
    *,
    asked: Asked,
    out: Path | None,
    preview: bool,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Draw the waveform, bands, onsets and beats of music, and write its curves as CSV."""
    settings = asked.settings()
    target = out or Path(f"{song.stem}-listen.png")
    with progress_for(quiet) as progress:
        told = import_module("dreamvid.studies.listening").listen(
            song, target, settings, preview=preview, overwrite=overwrite, say=progress.say
        )
    tell(f"{told}\n")
    print_path(target)


@command("dreamvid measure clip.mp4 clip-video.mp4")
def measure(
    source: Annotated[
        Path | None, typer.Argument(metavar="INPUT", help="A film, or a picture.")
    ] = None,
    dream: Annotated[
        Path | None, typer.Argument(metavar="DREAM", help="The film dreamed over it.")
    ] = None,
    *,
    asked: Asked,
    loop: Path | None,
    joint: list[int] | None,
    out: Path | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Measure how steady and how strong a dream is beside its film."""
    if loop is not None:
        if source is not None:
            raise SettingsError("--loop: measures one film alone; leave out INPUT and DREAM")
        tell(f"{import_module('dreamvid.studies.measure').measure_loop(loop)}\n")
        return
    if source is None or dream is None:
        raise SettingsError("measure: needs INPUT and DREAM, or --loop FILM")
    # A film of ours says what dreamed it, and where in its input it begins.
    own = import_module("dreamvid.jobs.configs").tells_settings(dream)
    settings = asked._replace(preset="video", config=dream if own else None).settings()
    target = out or dream.with_name(f"{dream.stem}-measure.csv")
    module = import_module("dreamvid.studies.measure")
    with progress_for(quiet) as progress:
        measures = module.measure(
            source, dream, target, settings, overwrite=overwrite, say=progress.say
        )
    import_module("dreamvid.cli.listing").print_measures(module.summary(measures), module.TITLES)
    for place in joint or []:
        tell(f"{module.joint(measures, place)}\n")
    print_path(target)
