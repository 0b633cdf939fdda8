"""The command that dreams in real time."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from dreamvid.cli.app import print_path, progress_for
from dreamvid.cli.command import Asked, command
from dreamvid.errors import SettingsError

TO = ("window", "page", "camera", "ndi", "spout", "syphon", "none")


@command("dreamvid live 0 --to window,page --osc 9000")
def live(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="A camera's number, a film, or screen.")
    ] = "0",
    *,
    asked: Asked,
    to: list[str] | None,
    record: Path | None,
    every: bool,
    presets: list[str] | None,
    osc: int | None,
    port: int,
    midi: Path | None,
    learn: str | None,
    hear: str | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Dream in real time, from a camera, a film or the screen."""
    places = _separated(to) or ["window"]
    if unknown := [each for each in places if each not in TO]:
        raise SettingsError(f"--to: got {unknown[0]!r}, expected some of {', '.join(TO)}")
    if learn and not midi:
        raise SettingsError("--learn: needs --midi FILE, where what is learned is kept")
    running = import_module("dreamvid.live.running")
    with progress_for(quiet) as progress:
        settings = _settings(asked, progress.say)
        fps = float(settings.film.rate) if _given(asked, "film", "fps") else 15.0
        size = _size(settings, source)
        names = _separated(presets)
        wanted = running.Asked(
            source,
            settings,
            size,
            0.0 if every else fps,
            {name: _preset(asked, name, progress.say) for name in names},
            settings.film.length if _given(asked, "film", "frames") else 0,
            every,
        )
        post = import_module("dreamvid.live.control").Post()
        outputs = [_output(place, post, port, fps, progress) for place in places]
        controls = _controls(osc, midi, learn, post, progress)
        if hear:
            controls.append(import_module("dreamvid.live.ears").Ears(hear, post))
        recording = None
        if record:
            kept = import_module("dreamvid.live.recording").Recording
            recording = kept(record, settings, size, fps, overwrite)
        told = running.live(wanted, outputs, controls, post, recording, progress)
        progress.say(str(told))
        if recording and (made := recording.finish(told.rate, progress)):
            print_path(made)


def _separated(texts: list[str] | None) -> list[str]:
    return [part.strip() for text in texts or [] for part in text.split(",") if part.strip()]


def _given(asked: Asked, section: str, key: str) -> bool:
    return any(key in tree.get(section, {}) for tree in (asked.flags, asked.assigned))


def _says_how(asked: Asked) -> bool:
    return bool(asked.config) or _given(asked, "turbo", "dream")


def _settings(asked: Asked, say: Callable[[str], None]) -> Any:
    """The settings; where nothing says what dreams, what usually does."""
    settings = asked.settings()
    if _says_how(asked):
        return settings
    return import_module("dreamvid.live.dreaming").with_usual_dream(settings, say)


def _preset(asked: Asked, name: str, say: Callable[[str], None]) -> Any:
    """What gives the settings of another preset, under the same flags.

    A slip in them is told now, not in the middle of a show.
    """
    settings = _settings(asked._replace(preset=name), say)
    return lambda: settings


def _size(settings: Any, source: str) -> Any:
    sizes = import_module("dreamvid.sizes")
    shape = import_module("dreamvid.live.capture").shape_of(source)
    return sizes.parsed_size(settings.film.size or "480", shape)


def _output(place: str, post: Any, port: int, fps: float, progress: Any) -> Any:
    outputs = import_module("dreamvid.live.outputs")
    if place == "window":
        return outputs.Window(post)
    if place == "camera":
        return outputs.VirtualCamera(fps)
    if place == "ndi":
        return outputs.Ndi(fps)
    if place in ("spout", "syphon"):
        sharing = import_module("dreamvid.live.sharing")
        return (sharing.Spout if place == "spout" else sharing.Syphon)(fps)
    if place == "none":
        return outputs.Nowhere()
    page = import_module("dreamvid.live.page").Page(port)
    progress.say(f"the dream is shown at http://127.0.0.1:{page.port}/")
    return page


def _controls(
    osc: int | None, midi: Path | None, learn: str | None, post: Any, progress: Any
) -> list[Any]:
    controls = []
    if osc is not None:
        server = import_module("dreamvid.live.osc").OscServer(osc, post)
        progress.say(f"OSC: /dreamvid/... at port {server.port}")
        controls.append(server)
    if midi:
        input_ = import_module("dreamvid.live.midi").Midi(midi, post)
        if learn:
            word, *ends = learn.split()
            if len(ends) not in (0, 2) or not all(_is_number(end) for end in ends):
                raise SettingsError(
                    f"--learn: got {learn!r}, expected a word, or one with two ends: strength 0 4"
                )
            input_.learn(word, *map(float, ends))
            progress.say(f"move the knob or strike the pad that shall be {word}")
        controls.append(input_)
    return controls


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
