"""The table of flags: the help, lists, the stub, and what an editor knows."""

import contextlib
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import call_cli

import dreamvid
from dreamvid.cli.app import PANELS
from dreamvid.cli.progress import Bar
from dreamvid.cli.stub import stub
from dreamvid.errors import SettingsError
from dreamvid.flags import COMMANDS, FLAGS, OWN, flags_of
from dreamvid.jobs.films import settings_for
from dreamvid.settings import Settings, flagged
from dreamvid.training import distil, train, turbo

ROOT = Path(dreamvid.__file__).parent
RECIPES = {"distil": distil.Recipe(), "train": train.Recipe(), "turbo": turbo.Recipe()}


def rows(text):
    """The flags in a help text: the column of names to all that is said, without blanks."""
    found = {}
    for line in text.partition("Options:\n")[2].partition("\n\n")[0].splitlines():
        if line.startswith("  -"):
            names, _, said = line.strip().partition("  ")
            found[names] = said
        else:
            found[names] += line
    return {names: "".join(said.split()) for names, said in found.items()}


def at(settings, path):
    section, _, key = path.partition(".")
    value = getattr(settings, section)
    if not key:
        return ",".join(value)
    return value.get(key) if isinstance(value, dict) else getattr(value, key)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_the_default_of_each_setting(command):
    helped = call_cli(*command.split(), "-h")
    assert helped.returncode == 0
    assert helped.stdout == call_cli(*command.split(), "--help").stdout
    assert f"Example: dreamvid {command}" in helped.stdout.replace("\n  ", " ")
    shown = rows(helped.stdout)
    for name, flag in flags_of(command).items():
        first = (flag.names or (f"--{name.replace('_', '-')}",))[0]
        said = next(
            said for names, said in shown.items() if first in names.replace(",", "").split()
        )
        section, _, key = flag.sets.partition(".")
        if flag.kind == "switch":
            continue
        if section == "recipe":
            default = getattr(RECIPES[command], key)
        elif not flag.sets:
            default = flag.default
        else:
            preset = flags_of(command)["preset"].default if "preset" in COMMANDS[command] else None
            default = at(settings_for(preset or "default"), flag.sets)
        if default in (None, (), ""):
            assert bool(flag.unset) == ("[default:" in said), (command, name)
            assert flag.unset or not flag.sets, f"{name}: the help says nothing of its default"
        elif flag.unset:
            assert f"[default:{flag.unset.replace(' ', '')}]" in said, (command, name)
        elif command != "resume":
            assert f"[default:{default}]" in said, (command, name)
    assert len(shown) == len(flags_of(command)) + 1


def test_defaults_with_a_name_are_those_of_the_settings():
    shown = rows(call_cli("zoom", "--help").stdout)
    assert "[default:300]" in shown["--frames N"]
    assert "[default:30]" in shown["--fps RATE"]
    assert "[default:640]" in shown["--size SIZE"]
    assert Settings().film.length == 300
    assert Settings().film.rate == 30


def test_every_flag_is_taken_by_some_command():
    taken = {(command, name) for command, names in COMMANDS.items() for name in names.split()}
    assert {tuple(own.split(".")) for own in OWN} <= taken
    assert set(FLAGS) == {name for _, name in taken if name in FLAGS}


def test_commands_stand_in_the_order_people_need_them():
    text = call_cli("--help").stdout
    named = [
        line.split()[0] for line in text.splitlines() if line.startswith("  ") and line[2] > " "
    ]
    wanted = [name for names in PANELS.values() for name in names]
    assert [name for name in named if name in wanted] == wanted
    assert set(wanted) == {command.split()[0] for command in COMMANDS}
    for panel in PANELS:
        assert f"\n{panel}:\n" in text
    assert "..." not in text.partition("Options:")[2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("zoom",), "'SEED': A picture"),
        (("zoom", "a.png", "--frame-rate", 3), "(see `dreamvid zoom --help`)"),
        (("zom",), "Did you mean 'zoom'? (see `dreamvid --help`)"),
        (("weights", "fetch"), "(see `dreamvid weights fetch --help`)"),
        (("bench", "--repeats", 0), "--repeats"),
        (("zoom", "a.png", "--motion", ""), "--motion: got '', expected"),
        (("zoom", "a.png", "--motion", ","), "--motion: got ',', expected"),
        (("image", "a.png", "--layer", "", "--layer", " "), "--layer: got"),
        (("distil", "pocket"), "--images"),
    ],
)
def test_a_slip_is_one_line(arguments, words):
    told = call_cli(*arguments)
    assert told.returncode == 2
    assert told.stdout == ""
    assert len(told.stderr.splitlines()) == 1
    assert words in told.stderr


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"motion": "zoom,spin"}, {"motion": ["zoom", "spin"]}),
        ({"motion": ["zoom, spin", "pan"]}, {"motion": ["zoom", "spin", "pan"]}),
        ({"network": ["a,b", "c"]}, {"network": {"name": "a,b,c"}}),
        ({"weights": "a=x.pth,b=y.pth"}, {"network": {"weights": ["a=x.pth", "b=y.pth"]}}),
        ({"weights": Path("x,1.pth")}, {"network": {"weights": ["x,1.pth"]}}),
        ({"frames": "12", "fps": "30000/1001"}, {"film": {"frames": 12, "fps": "30000/1001"}}),
        ({"frames": None, "keep_color": True}, {"video": {"keep_color": True}}),
    ],
)
def test_flags_become_settings(given, found):
    assert flagged(given) == found


@pytest.mark.parametrize(
    ("texts", "layers"),
    [
        (["3b", "4c=0.5"], ["3b", "4c=0.5"]),
        (["3b,4c=0.5"], ["3b", "4c=0.5"]),
        (["4c:walk(0..20, 1.5s)"], ["4c:walk(0..20, 1.5s)"]),
        (["4c=0: (1), 5s: (0)"], ["4c=0: (1), 5s: (0)"]),
        (["3b,4c=0: (1), 2.5s: (0) smooth,conv2"], ["3b", "4c=0: (1), 2.5s: (0) smooth", "conv2"]),
        (["4c:3,7=0.5,3b"], ["4c:3,7=0.5", "3b"]),
        (["4c:0..3,7,4d:1"], ["4c:0..3,7", "4d:1"]),
        (["4c=where(t<2, 1, 0),34:5"], ["4c=where(t<2, 1, 0)", "34:5"]),
        (["34,35", "4[ab]*,"], ["34", "35", "4[ab]*"]),
    ],
)
def test_only_commas_between_layers_part_them(texts, layers):
    assert flagged({"layer": texts}) == {"network": {"layers": layers}}


def test_both_spellings_are_taken(tmp_path):
    for spelling in ("--keep-color", "--keep-colour"):
        assert "no.mp4" in call_cli("video", tmp_path / "no.mp4", spelling).stderr
    for spelling in ("--optimiser", "--optimizer"):
        told = call_cli("train", tmp_path, spelling, "adamm").stderr
        assert "did you mean 'adam'" in told


def test_the_stub_is_what_the_table_says():
    assert (ROOT / "__init__.pyi").read_text("utf-8") == stub(), (
        "the table of flags has changed: python -m dreamvid.cli.stub > dreamvid/__init__.pyi"
    )
    assert (ROOT / "py.typed").exists()


RIGHT = """
import dreamvid

film = dreamvid.zoom("seed.jpg", "fall.mp4", frames=90, layer=["4a"], fps=23.976, device="cpu")
dreamvid.video("clip.mp4", start="2s", carry="flow", keep_color=True, weights="a.pth")
dreamvid.loop(out="loop.webp", seconds=4, motion="zoom,spin", iterations="10 + t")
dreamvid.image("seed.jpg", settings={"ascent": {"step_size": 2.0}}, depth=16)
dreamvid.sheet("seed.jpg", across={"iterations": "5,10"})
film.with_suffix(".gif")
"""
WRONG = {
    'dreamvid.zoom("seed.jpg", framez=90)': "framez",
    'dreamvid.zoom("seed.jpg", start="2s")': "start",
    'dreamvid.image("seed.jpg", depth=12)': "depth",
    'dreamvid.video("clip.mp4", frames=[])': "frames",
}


def test_an_editor_knows_the_keywords(tmp_path):
    (tmp_path / "pyrightconfig.json").write_text(json.dumps({"extraPaths": [str(ROOT.parent)]}))
    (tmp_path / "right.py").write_text(RIGHT)
    (tmp_path / "wrong.py").write_text("\n".join(["import dreamvid", *WRONG]))
    command = [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable]
    told = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    faults = json.loads(told.stdout)["generalDiagnostics"]
    assert {Path(fault["file"]).name for fault in faults} == {"wrong.py"}
    by_line = {fault["range"]["start"]["line"]: fault["message"] for fault in faults}
    assert sorted(by_line) == list(range(1, len(WRONG) + 1))
    for line, word in enumerate(WRONG.values(), 1):
        assert f'"{word}"' in by_line[line]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"framez": 3}, "zoom: no keyword 'framez'; did you mean 'frames'?"),
        ({"overwrit": True}, "did you mean 'overwrite'?"),
        ({"start": "2s"}, "no keyword 'start'"),
        ({"quiet": True}, "no keyword 'quiet'"),
    ],
)
def test_a_misspelt_keyword_is_one_line(given, words):
    with pytest.raises(SettingsError) as caught:
        dreamvid.zoom("seed.jpg", **given)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_misspelt_keyword_loads_no_torch():
    code = (
        "import sys, dreamvid\ntry: dreamvid.image('a.png', laier='4c')\n"
        "except dreamvid.errors.SettingsError: sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def shown_on(terminal, monkeypatch, unit="frame"):
    """What a bar writes on a terminal of that kind."""
    ours, theirs = pty.openpty()
    monkeypatch.setenv("TERM", terminal)
    with open(theirs, "w") as stream:  # noqa: PTH123
        monkeypatch.setattr(sys, "stderr", stream)
        with Bar(quiet=False, unit=unit) as bar:
            bar.begin(2, 5)
            for index in range(2, 5):
                bar.frame(index, {"shown": "error 0.5"})
        monkeypatch.undo()
        os.set_blocking(ours, False)
        text = b""
        with contextlib.suppress(BlockingIOError):
            while part := os.read(ours, 100_000):
                text += part
    os.close(ours)
    return text.decode()


def test_a_bar_on_a_terminal_and_lines_elsewhere(monkeypatch, capsys):
    drawn, plain = shown_on("xterm", monkeypatch), shown_on("dumb", monkeypatch)
    assert "\x1b[" in drawn
    assert "5/5" in drawn
    assert "error 0.5" in drawn
    assert "\x1b" not in plain
    lines = plain.splitlines()
    assert lines[0] == "2 of 5 frames are there already"
    assert lines[1].startswith("frame 5 of 5, ")
    assert lines[1].endswith(" fps, error 0.5, 0:00 left")
    assert len(lines) == 2
    # No terminal, whatever the environment says of colours.
    monkeypatch.setenv("FORCE_COLOR", "1")
    with Bar(quiet=False) as bar:
        bar.begin(0, 1)
        bar.frame(0, {})
    assert capsys.readouterr().err.startswith("frame 1 of 1, ")


def test_a_picture_says_no_last_step(capsys):
    with Bar(quiet=False, unit="step") as bar:
        bar.begin(0, 2)
        bar.frame(1, {})
    assert capsys.readouterr().err == ""
