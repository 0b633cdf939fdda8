"""The doctor, completion in shells, and the manual page."""

import json
import shutil
import subprocess
import sys

import pytest
from conftest import call_cli

from dreamvid import doctor
from dreamvid.cli import completing
from dreamvid.cli.listing import REGISTRIES, setting_names
from dreamvid.cli.told import spellings, told
from dreamvid.doctor import computing
from dreamvid.flags import COMMANDS, flags_of
from dreamvid.settings import presets


@pytest.fixture(scope="module")
def well():
    """What the doctor finds here, as its JSON."""
    done = call_cli("doctor", "--json")
    assert done.returncode == 0, done.stdout
    return json.loads(done.stdout)


def test_every_check_finds_something_and_every_trouble_has_a_remedy(well):
    assert well["well"]
    assert list(dict.fromkeys(each["check"] for each in well["findings"])) == [
        name
        for module in ("libraries", "computing", "surroundings")
        for name in doctor.checks.names()
        if doctor.checks[name].__module__ == f"dreamvid.doctor.{module}"
        and any(each["check"] == name for each in well["findings"])
    ]
    assert {each["check"] for each in well["findings"]} >= {"python", "devices", "ffmpeg", "dream"}
    for each in well["findings"]:
        assert each["found"]
        assert each["remedy"] or each["state"] == "ok", each


def test_a_check_that_fails_stops_no_other(monkeypatch):
    def broken():
        raise ImportError("libGL.so.1: cannot open shared object file")
        yield

    def fine():
        yield doctor.Finding("ok", "here")

    functions = {"python": broken, "disk": fine}
    for each in functions.values():
        each.__module__ = "dreamvid.doctor.libraries"
    monkeypatch.setattr(doctor.checks, "functions", functions)
    told = call_cli("doctor")
    assert told.returncode == 1
    wrong, good, last = told.stdout.splitlines()
    assert wrong.startswith("WRONG  python: cannot be checked: libGL.so.1")
    assert good == "ok     disk: here"
    assert last == "1 is wrong"


def test_a_disk_that_cannot_be_written_and_no_ffmpeg_are_wrong(monkeypatch):
    def nowhere(**_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.NamedTemporaryFile", nowhere)
    states = [each.state for each in doctor.checks["disk"]()]
    assert states == ["wrong", "wrong"]
    monkeypatch.setattr(doctor.checks, "functions", {"ffmpeg": doctor.checks["ffmpeg"]})
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/nowhere/ffmpeg")
    (only,) = [finding for _, finding in doctor.examined()]
    assert only.state == "wrong"
    assert "ffmpeg" in only.found


def test_a_program_that_keeps_the_processor_busy_is_named():
    command = [sys.executable, "-c", "while True: pass"]
    with subprocess.Popen(command) as process:
        try:
            # Beside the rest of a busy machine it may get only a part of a core.
            assert any("python" in each for _ in range(8) for each in computing.busy())
        finally:
            process.kill()


@pytest.fixture(scope="module")
def values():
    return completing.values()


def test_all_there_is_to_choose_from_can_be_completed(values):
    for name, registry in REGISTRIES.items():
        assert values[name] == registry.names()
    assert set(values["presets"]) == set(presets.names())
    assert {f"{name}=" for name in setting_names()} <= set(values["settings"])
    assert {"motion.zoom.rate=", "objective.name=", "encode.codec="} <= set(values["settings"])
    assert {"volcano", "coral reef"} <= set(values["words"])
    for command in told():
        known = completing.completed(command)
        for option in known.options:
            kinds = option.kind.split() if option.kind not in values else [option.kind]
            assert kinds, (command.name, option)
        assert {s for o in known.options for s in o.spellings} == {
            s for name, flag in flags_of(command.name).items() for s in spellings(name, flag)
        }


@pytest.fixture(scope="module")
def bash(tmp_path_factory):
    """Completes words in a real bash."""
    folder = tmp_path_factory.mktemp("shell")
    (folder / "dreamvid.bash").write_text(call_cli("completion", "bash").stdout)
    (folder / "seed one.jpg").touch()

    def complete(*words):
        code = (
            "compopt() { :; }; source dreamvid.bash; "
            'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _dreamvid; printf "%s\\n" "${COMPREPLY[@]}"'
        )
        command = ["bash", "-c", code, "bash", "dreamvid", *words]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.stderr == ""
        return done.stdout.splitlines()

    return complete


@pytest.mark.skipif(not shutil.which("bash"), reason="needs bash")
@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["zo"], ["zoom"]),
        (["weights", "ve"], ["verify"]),
        (["zoom", "--preset", "gen"], ["genekogan-laplacian", "gentle"]),
        (["zoom", "a.jpg", "--motion", "zoom,sp"], ["zoom,spin", "zoom,spiral"]),
        (["zoom", "--layer", "4"], ["4a", "4b", "4c", "4d"]),
        (["image", "--of", "volc"], ["volcano"]),
        (["image", "--of", "coral\\ r"], ["coral\\ reef"]),
        (["image", "--of", '"coral r'], ["coral reef"]),
        (["zoom", "--set", "motion.zoom.r"], ["motion.zoom.rate="]),
        (["video", "--carry", "fl"], ["flow"]),
        (["zoom", "--fit", ""], ["crop", "pad", "stretch"]),
        (["zoom", "--tid"], ["--tidy"]),
        (["zoom", "--quiet", "see"], ["seed one.jpg"]),
        (["list", "mot"], ["motions"]),
        (["show", "motion", "kal"], ["kaleidoscope"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
    ],
)
def test_bash_completes(bash, words, found):
    assert bash(*words) == found


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_are_read_by_their_shells(shell, tmp_path):
    script = tmp_path / "script"
    script.write_text(call_cli("completion", shell).stdout)
    if not shutil.which(shell):
        pytest.skip(f"needs {shell}")
    done = subprocess.run([shell, "-n", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_another_shell_is_refused():
    told = call_cli("completion", "zhs")
    assert told.returncode == 2
    assert "did you mean 'zsh'?" in told.stderr


def test_the_manual_has_every_command_and_every_flag(tmp_path):
    page = call_cli("man").stdout
    for command in COMMANDS:
        part = page.replace("\\-", "-").partition(f".SS dreamvid {command}")[2].partition(".SS ")[0]
        assert f"Example: dreamvid {command}" in part
        for name, flag in flags_of(command).items():
            for spelling in spellings(name, flag):
                assert spelling in part, (command, spelling)
    if shutil.which("man"):
        (tmp_path / "dreamvid.1").write_text(page)
        shown = subprocess.run(
            ["man", "-l", "--warnings", "dreamvid.1"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": "/usr/bin:/bin", "MANWIDTH": "120", "LC_ALL": "C.UTF-8"},
        )
        if "No manual entry" not in shown.stderr:
            assert "--keep-color" in shown.stdout
