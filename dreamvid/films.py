"""Making things out of a seed: a film, a picture. What both doors open onto."""

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from dreamvid import media, presets, sinks
from dreamvid.dreamer import dreamer_for
from dreamvid.errors import MediaError, ResumeError, SettingsError
from dreamvid.frames import covered, parsed_size, quantised, size_of
from dreamvid.job import SUFFIX, Job, Manifest
from dreamvid.media.locking import locked
from dreamvid.motions import composed
from dreamvid.networks import absolute_weights
from dreamvid.runs import Progress, Run, Silence, described, device_of, stoppable, this_machine
from dreamvid.settings import Settings, Tree, laid_over, settled

FILM_SIDE = "640"
"""The longer side of a film for which no size is asked."""
DEFAULT_MOTION: Tree = {"zoom": {}}


def settings_for(
    preset: str = "default",
    config: Path | None = None,
    flags: Tree | None = None,
    assigned: Tree | None = None,
) -> Settings:
    """Settings laid over each other: defaults < preset < config < flags < assignments."""
    tree, chosen = presets.load(preset), read_config(config)
    if "motion" in chosen:
        # A file's motions are all of its motion, not more of the preset's.
        tree.pop("motion", None)
    for layer in (chosen, flags or {}, assigned or {}):
        tree = laid_over(tree, layer)
    return settled(tree)


def read_config(path: Path | None) -> Tree:
    """The settings in a TOML or JSON file, in a job's folder or in a film that dreamvid made.

    Of a job and a film, those that make the dream: neither the shape of its seed nor how and
    where it was encoded.
    """
    if path is None:
        return {}
    if path.suffix.lower() in (".toml", ".json", ".txt", "") and not path.is_dir():
        tree = presets.read_file(path)
        tree.pop(presets.ABOUT, None)
        return tree
    try:
        if path.is_dir():
            tree = Job.open(path).manifest.settings.tree()
        else:
            tree = json.loads(media.read_metadata(path)["comment"])["settings"]
        tree = {name: dict(values) for name, values in tree.items()}
    except (MediaError, ValueError, KeyError, TypeError, AttributeError):
        raise SettingsError(
            f"{path}: holds no dreamvid settings; wanted a TOML file, a job folder or a film"
        ) from None
    tree.pop("encode", None)
    tree.pop("machine", None)
    tree.get("film", {}).pop("size", None)
    return tree


def image(seed: Path, out: Path, settings: Settings, *, overwrite: bool = False) -> Path:
    """Dream one picture, at its own size unless one is asked for, and return where it is."""
    if out.suffix.lower() not in media.WRITE_FORMATS:
        raise MediaError(
            f"{out}: no picture format {out.suffix!r}, wanted {', '.join(media.WRITE_FORMATS)}"
        )
    if settings.film.depth != 8 and out.suffix.lower() != ".png":
        raise MediaError(f"{out}: only PNG has {settings.film.depth} bits a channel; write a .png")
    sinks.check_place(out, overwrite)
    _must_differ(seed, out)
    composed(settings.motion)
    picture = media.read_picture(seed)
    size = parsed_size(str(settings.film.size), size_of(picture)) if settings.film.size else None
    dreamer = dreamer_for(settings)
    dreamer.check(size or size_of(picture), seed=size_of(picture))
    if size:
        picture = covered(picture, size)
    frame = dreamer(picture.to(device_of(dreamer.network)), key=(settings.film.seed, 0))
    media.write_picture(frame, out, settings.film.depth, {"comment": described("image", settings)})
    return out


def zoom(
    seed: Path,
    out: Path,
    settings: Settings,
    *,
    job: Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Make a film that falls into a still, and return where it is.

    Everything that can be wrong with the input or the settings is found before the job folder
    is made.
    """
    progress = progress or Silence()
    folder = job or out.with_name(out.name + SUFFIX)
    sinks.check_output(out, overwrite)
    sinks.encoding_for(out, settings.encode)
    _must_differ(seed, out)
    picture = media.read_picture(seed)
    if not settings.motion:
        settings = replace(settings, motion=DEFAULT_MOTION)
    settings = settings.changed("network", weights=absolute_weights(settings.network))
    size = parsed_size(str(settings.film.size or FILM_SIDE), size_of(picture))
    settings = settings.changed("film", size=str(size))
    composed(settings.motion)
    dreamer = dreamer_for(settings)
    dreamer.check(size, seed=size_of(picture))
    manifest = Manifest(
        kind="zoom",
        settings=settings,
        out=out.absolute(),
        source={"path": str(seed.absolute()), "sha256": sha256(seed.read_bytes()).hexdigest()},
        weights_sha256=dreamer.network.weights_sha256 or "",
        machine=this_machine(dreamer.network),
    )
    Job.claim(folder, seed, out)
    with stoppable(folder, "the same command again"), locked(folder):
        if (folder / "job.json").exists() and not overwrite:
            made = Job.open(folder)
            made.must_fit(settings)
            if made.manifest.source["sha256"] != manifest.source["sha256"]:
                raise ResumeError(
                    f"{folder}: made from another picture; start anew with --overwrite"
                )
        else:
            start = quantised(covered(picture, size), settings.film.depth)
            made = Job.create(folder, manifest, start)
    run = Run(made, out=out, settings=settings, overwrite=overwrite, progress=progress)
    return run.finish(dreamer)


def _must_differ(seed: Path, out: Path) -> None:
    if out.exists() and seed.exists() and out.samefile(seed):
        raise MediaError(f"{out}: is the seed itself; choose another name for the result")
