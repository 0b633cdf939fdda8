"""What a film was made with: its settings, the machine, the weights; and whether they are here."""

import json
import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy
import torch

from dreamvid import __version__, media
from dreamvid.dream.dreamer import Dreamer
from dreamvid.dream.turbo.adding import TURBO
from dreamvid.errors import MediaError, ResumeError, SettingsError
from dreamvid.jobs.folder import Manifest
from dreamvid.machine.devices import device_for
from dreamvid.media import encoders
from dreamvid.networks.base import Network
from dreamvid.settings import Settings, changes, plugin_loading, settled

PRECISIONS = {"float64": "fp64", "float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}
"""What a job records as its precision, as `machine.precision` has it."""


def described(kind: str, settings: Settings) -> str:
    """What a film's metadata says of how it was made; ``--config FILM`` reads it back."""
    about = {"dreamvid": __version__, "kind": kind, "settings": settings.tree()}
    return json.dumps(about, separators=(",", ":"))


def told_of(words: Mapping[str, str]) -> tuple[str, Settings, str]:
    """The kind, settings and version of dreamvid that a film's metadata tell.

    Raises `ValueError`, `KeyError`, `TypeError` or `SettingsError` where they tell none.
    """
    about = json.loads(words["comment"])
    return str(about["kind"]), settled(about["settings"]), str(about.get("dreamvid", ""))


def frames_of_job(film: Path, manifest: Manifest) -> int | None:
    """How many frames the job's own film says it has; None where another film, or none, is there.

    A film does not say what seed it was made of. So only that in the job's own place is its own.
    """
    if film.absolute() != manifest.out:
        return None
    try:
        pictures = sorted(film.glob("*.png")) if film.is_dir() else _numbered(film)
        told = pictures[0] if pictures else film
        kind, settings, _ = told_of(media.read_metadata(told))
        frames = settings.film.length
        ours = kind == manifest.kind and not changes(
            settings, manifest.settings.changed("film", frames=frames)
        )
    except (MediaError, SettingsError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return frames if ours else None


def _numbered(film: Path) -> list[Path]:
    return media.of_pattern(film) if encoders.is_sequence_of_pictures(film) else []


def _device_name(device: torch.device) -> str:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return f"{device.type} {name}"


def this_machine(net: Network) -> dict[str, Any]:
    """What must be the same for a resumed job to equal an unbroken one byte for byte."""
    device = net.device
    libraries = {}
    if device.type == "cuda":
        libraries = {"cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
    return {
        "dreamvid": __version__,
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "ffmpeg": imageio_ffmpeg.__version__,
        "device": _device_name(device),
        "precision": str(net.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        **libraries,
    }


def as_begun(settings: Settings, manifest: Manifest) -> Settings:
    """Settings in the precision that ``auto`` took when the job was begun, on the same device."""
    begun = manifest.machine.get("precision", "")
    device = device_for(settings.machine.device)
    same = manifest.machine.get("device") == _device_name(device)
    if settings.machine.precision != "auto" or begun not in PRECISIONS or not same:
        return settings
    return settings.changed("machine", precision=PRECISIONS[begun])


def load_plugins(manifest: Manifest) -> None:
    """Load the plugins that a job was begun with.

    Raises:
        ResumeError: One is not there, or is not what it was.
        SettingsError: One cannot be loaded any more.
    """
    for name, then in manifest.plugins.items():
        now = plugin_loading.current_hash(name)
        if now != then:
            reason = f"SHA-256 {now[:12]}…, then {then[:12]}…" if now else "it is not there"
            raise ResumeError(
                f"{name}: not the plugin the job began with ({reason}); put it back, "
                "or start anew with --overwrite"
            )
    plugin_loading.load_installed()
    plugin_loading.load(
        name for name in manifest.plugins if not name.startswith(plugin_loading.INSTALLED)
    )


def must_be_same(manifest: Manifest, dreamer: Dreamer, say: Callable[[str], None]) -> None:
    """Refuse other weights and altered pictures; warn of another machine."""
    net = dreamer.network
    for where, then in manifest.pictures.items():
        if dreamer.files.get(where) != then:
            what = "network" if where == TURBO else "picture"
            raise ResumeError(
                f"{where}: not the {what} the job began with (SHA-256 {then[:12]}…); "
                "put it back, or start anew with --overwrite"
            )
    now = net.weights_sha256 or ""
    if not net.dreams_like(manifest.weights_sha256):
        with_version = manifest.machine.get("dreamvid", "the version it was begun with")
        raise ResumeError(
            f"{net.name}: the weights are not those the job began with "
            f"(SHA-256 {now[:12]}…, then {manifest.weights_sha256[:12]}…); "
            f"put the old file back (dreamvid {with_version}), or start anew with --overwrite"
        )
    here = this_machine(net)
    for name, then in manifest.machine.items():
        if here.get(name) != then:
            say(
                f"{name} was {then} when the job began and is {here.get(name)} now: "
                "the film goes on, but not byte for byte as it would have"
            )
