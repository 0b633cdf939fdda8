"""Making things: a film from a job, a picture from a seed. What both doors open onto."""

import json
import os
import platform
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import imageio_ffmpeg
import numpy
import torch

import dreamvid
from dreamvid import media, presets, sinks
from dreamvid.carry import Carry, by_motion
from dreamvid.dreamer import Dreamer
from dreamvid.errors import MediaError, ResumeError, SettingsError, Stopped
from dreamvid.frames import parsed_size, photographic, quantised, size_of
from dreamvid.job import SUFFIX, Job, Manifest
from dreamvid.motions import composed
from dreamvid.networks import network
from dreamvid.networks.base import Network
from dreamvid.networks.layers import chosen
from dreamvid.pipeline import dreamed
from dreamvid.settings import Settings, Tree, laid_over, settled
from dreamvid.sources import Still

FILM_SIDE = "640"
"""The longer side of a film for which no size is asked."""
DEFAULT_MOTION: Tree = {"zoom": {}}


class Progress(Protocol):
    """Who is told how a job goes."""

    def say(self, text: str) -> None:
        """A line worth knowing."""
        ...

    def begin(self, done: int, total: int) -> None:
        """Frames `done` of `total` are there already."""
        ...

    def frame(self, index: int, notes: Mapping[str, Any]) -> None:
        """Frame `index` is on disk."""
        ...


class Silence:
    """A `Progress` that tells nobody."""

    def say(self, text: str) -> None:
        """Nothing."""

    def begin(self, done: int, total: int) -> None:
        """Nothing."""

    def frame(self, index: int, notes: Mapping[str, Any]) -> None:
        """Nothing."""


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
    """The settings in a TOML or JSON file, in a job's folder or in a film that dreamvid made."""
    if path is None:
        return {}
    if path.is_dir():
        return Job.open(path).manifest.settings.tree()
    if path.suffix.lower() in (".toml", ".json", ".txt", ""):
        tree = presets.read_file(path)
        tree.pop(presets.ABOUT, None)
        return tree.get("settings", tree)
    comment = media.read_metadata(path).get("comment", "")
    try:
        return json.loads(comment)["settings"]
    except (ValueError, KeyError, TypeError):
        raise SettingsError(f"{path}: holds no dreamvid settings") from None


def dreamer_for(settings: Settings) -> Dreamer:
    """The dreamer that `settings` describe, on its device, its threads set."""
    threads = settings.machine.threads or os.cpu_count() or 1
    torch.set_num_threads(threads)
    net = network(
        settings.network.name,
        weights=settings.network.weights,
        device=device_for(settings.machine.device),
        precision=settings.machine.precision,
    )
    layers = settings.network.layers or (net.favourite,)
    return Dreamer(net, chosen(net.layers, layers, net.name), settings)


def device_for(name: str) -> torch.device:
    """The device of that name; ``auto`` takes a GPU where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise SettingsError(
            f"machine.device: {name!r} cannot be used here ({reason}); "
            "wanted auto, cpu, cuda, cuda:N or mps"
        ) from None
    return device


def image(seed: Path, out: Path, settings: Settings, *, overwrite: bool = False) -> Path:
    """Dream one picture, at its own size unless one is asked for, and return where it is."""
    if out.suffix.lower() not in media.WRITE_FORMATS:
        raise MediaError(
            f"{out}: no picture format {out.suffix!r}, wanted {', '.join(media.WRITE_FORMATS)}"
        )
    sinks.check_place(out, overwrite)
    _must_differ(seed, out)
    picture = media.read_picture(seed)
    size = parsed_size(settings.film.size, size_of(picture)) if settings.film.size else None
    dreamer = dreamer_for(settings)
    dreamer.check(size or size_of(picture), seed=size_of(picture))
    if size:
        picture = photographic(picture, size)
    frame = dreamer(picture.to(_device_of(dreamer.network)), key=(settings.film.seed, 0))
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
    folder = job or out.with_name(out.name + SUFFIX)
    sinks.check_output(out, overwrite)
    _must_differ(seed, out)
    picture = media.read_picture(seed)
    if not settings.motion:
        settings = settled(laid_over(settings.tree(), {"motion": DEFAULT_MOTION}))
    size = parsed_size(settings.film.size or FILM_SIDE, size_of(picture))
    settings = settings.changed("film", size=str(size))
    sinks.encoding_for(out, settings.encode)
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
    if folder.exists() and not overwrite:
        existing = Job.open(folder)
        existing.must_fit(settings)
        if existing.manifest.source["sha256"] != manifest.source["sha256"]:
            raise ResumeError(f"{folder}: made from another picture; start anew with --overwrite")
        return run(existing, frames=settings.film.frames, dreamer=dreamer, progress=progress)
    Job.remove(folder)
    start = quantised(photographic(picture, size), settings.film.depth)
    created = Job.create(folder, manifest, start)
    return run(created, dreamer=dreamer, overwrite=overwrite, progress=progress)


def run(
    job: Job,
    *,
    frames: int | None = None,
    dreamer: Dreamer | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Make the frames that `job` still lacks, then its film; return where the film is."""
    progress = progress or Silence()
    manifest = job.manifest
    settings = manifest.settings
    total = frames or settings.film.frames
    with stoppable(job.folder), job.locked():
        done = job.finished()
        if done < total:
            dreamer = dreamer or dreamer_for(settings)
            _must_be_same(manifest, dreamer.network, progress)
            progress.begin(done, total)
            device = _device_of(dreamer.network)
            source = Still(job.read_source().to(device))
            carry = carry_for(settings)
            previous = job.read(done - 1).to(device) if done else None
            made = dreamed(
                source,
                carry,
                dreamer,
                seed=settings.film.seed,
                depth=settings.film.depth,
                start=done,
                previous=previous,
            )
            began = time.monotonic()
            for index, frame in islice(made, total - done):
                report = dreamer.report
                if report.skipped:
                    progress.say(
                        f"frame {index}: {report.skipped} of "
                        f"{report.skipped + report.steps} steps skipped, gradient not finite"
                    )
                notes = {
                    "seconds": round(time.monotonic() - began, 3),
                    "gain": report.gain if report.steps else None,
                    "skipped": report.skipped,
                }
                job.write(index, frame, notes)
                progress.frame(index, notes)
                began = time.monotonic()
        return _encode(job, manifest.out, total, overwrite, progress)


def resume(
    job: Job,
    *,
    frames: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Go on with a job, to another length if one is given; return where its film is."""
    progress = progress or Silence()
    total = frames or job.manifest.settings.film.frames
    if job.manifest.out.exists() and not overwrite:
        with job.locked():
            done = job.finished()
        if done >= total:
            progress.say(f"nothing left to do: {done} frames and the film are there")
            return job.manifest.out
        raise MediaError(f"{job.manifest.out}: exists already; pass --overwrite to replace it")
    return run(job, frames=total, overwrite=overwrite, progress=progress)


def encode(
    job: Job,
    out: Path | None = None,
    *,
    options: Tree | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Path:
    """Encode a job's finished frames, again or in another format; return where the film is."""
    out = out or job.manifest.out
    sinks.check_output(out, overwrite)
    with stoppable(job.folder), job.locked():
        done = job.finished()
        if not done:
            raise ResumeError(f"{job.folder}: no frame is finished; `dreamvid resume` it first")
        return _encode(job, out, done, overwrite, progress or Silence(), options)


def _encode(
    job: Job,
    out: Path,
    total: int,
    overwrite: bool,
    progress: Progress,
    options: Tree | None = None,
) -> Path:
    settings = job.manifest.settings
    sinks.check_output(out, overwrite)
    sinks.encode_film(
        (job.read(index) for index in range(total)),
        out,
        settings.film.fps,
        options={**settings.encode, **(options or {})},
        metadata={"comment": described(job.manifest.kind, settings)},
        say=progress.say,
    )
    return out


def _must_differ(seed: Path, out: Path) -> None:
    if out.exists() and seed.exists() and out.samefile(seed):
        raise MediaError(f"{out}: is the seed itself; choose another name for the result")


def carry_for(settings: Settings) -> Carry:
    """The carry that `settings` describe."""
    return by_motion(composed(settings.motion), settings.film.fps)


def described(kind: str, settings: Settings) -> str:
    """What a film's metadata says of how it was made; ``--config FILM`` reads it back."""
    about = {"dreamvid": dreamvid.__version__, "kind": kind, "settings": settings.tree()}
    return json.dumps(about, separators=(",", ":"))


def this_machine(net: Network) -> dict[str, Any]:
    """What must be the same for a resumed job to equal an unbroken one byte for byte."""
    parameter = next(net.parameters())
    device = parameter.device
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {
        "dreamvid": dreamvid.__version__,
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "ffmpeg": imageio_ffmpeg.__version__,
        "device": f"{device.type} {name}",
        "precision": str(parameter.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
    }


def _must_be_same(manifest: Manifest, net: Network, progress: Progress) -> None:
    """Refuse other weights; warn of another machine."""
    now = net.weights_sha256 or ""
    if now != manifest.weights_sha256:
        raise ResumeError(
            f"{net.name}: the weights are not those the job began with "
            f"(SHA-256 {now[:12]}…, then {manifest.weights_sha256[:12]}…); "
            "put the old file back or start anew with --overwrite"
        )
    here = this_machine(net)
    for name, then in manifest.machine.items():
        if here.get(name) != then:
            progress.say(
                f"{name} was {then} when the job began and is {here.get(name)} now: "
                "the film goes on, but not byte for byte as it would have"
            )


def _device_of(net: Network) -> torch.device:
    return next(net.parameters()).device


@contextmanager
def stoppable(folder: Path) -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM into `Stopped`; a second one leaves at once.

    Outside the main thread, where Python allows no signal handlers, nothing changes.
    """

    def stop(number: int, _: object) -> None:
        for each in handled:
            signal.signal(each, signal.SIG_DFL)
        raise Stopped(number, folder)

    handled = (signal.SIGINT, signal.SIGTERM)
    before: dict[int, Any] = {}
    try:
        for each in handled:
            before[each] = signal.signal(each, stop)
    except ValueError:
        pass
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
