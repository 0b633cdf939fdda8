"""The studio without a browser: drafts, settings, films as processes of their own."""

import http.client
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import hypothesis
import pytest
from conftest import call_cli
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("uvicorn", reason="needs dreamvid[studio]")
pytest.importorskip("starlette", reason="needs dreamvid[studio]")

from starlette.requests import Request
from studio_server import SMALL, Server, camera

from dreamvid.cli.listing import REGISTRIES, setting_names
from dreamvid.errors import DreamvidError, SettingsError
from dreamvid.jobs import films
from dreamvid.live.osc import message
from dreamvid.settings import assigned, laid_over, settled
from dreamvid.studio import directing
from dreamvid.studio.drafts import Draft, flat
from dreamvid.studio.places import Place, clean_stem, ident, is_plain
from dreamvid.studio.schema import LEFT_OUT, NAMED, schema

SEED = Path(__file__).parents[1] / "samples" / "seed.jpg"
KINDS = {"switch", "choice", "number", "text", "file", "list"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    shutil.copy(SEED, folder / "seed.jpg")
    with Server(folder) as running:
        yield running


def test_every_setting_has_a_control():
    controls = {control["name"]: control for control in schema()["settings"]}
    wanted = set(setting_names()) - set(LEFT_OUT)
    for section, registry in NAMED.items():
        wanted |= {f"{section}.{name}" for entry in registry.names()
                   for name in registry.options(entry)}  # fmt: skip
    for entry in REGISTRIES["motions"].names():
        wanted |= {f"motion.{entry}.{name}" for name in REGISTRIES["motions"].options(entry)}
    assert wanted <= controls.keys()
    for control in controls.values():
        assert control["kind"] in KINDS
        assert control["says"]
        assert control["commands"], control["name"]


def test_what_a_control_shows_by_itself_is_the_setting_itself():
    usual = settled({})
    for control in schema()["settings"]:
        name, default = control["name"], control["default"]
        if name.partition(".")[0] in (*NAMED, "motion") or not default:
            continue
        again = settled(laid_over({}, assigned([f"{name}={default}"])))
        assert again == usual, name


def test_ranges_are_those_of_the_registry():
    controls = {control["name"]: control for control in schema()["settings"]}
    count = controls["octaves.count"]
    assert (count["low"], count["high"], count["whole"]) == (1, 20, True)
    assert controls["ascent.strength"]["scheduled"]
    assert controls["film.fit"]["choices"] == ["crop", "pad", "stretch"]
    assert controls["motion.zoom.centre"]["kind"] == "list"
    assert controls["motion.zoom.rate"]["commands"] == ["zoom", "loop"]


CHANGES = {
    "film.frames": ["90", "10s"],
    "film.size": ["320", "96x64", "x64"],
    "film.speed": ["-2", "0.5"],
    "ascent.later": ["3"],
    "ascent.strength": ["0: (1), 2s: (2.5) smooth", "1 + 0.1*sin(t)"],
    "network.layers": ['["3b", "4c=0.5"]', '["4c:walk(0..9, 2s)"]'],
    "motion.zoom.rate": ["1.1", "0: (1.1), 3s: (1.4)"],
    "motion.zoom.centre": ["[0.25, 0.75]"],
    "video.keep_color": ["true", "false"],
    "picture.background": ["white"],
    "loop.breath": ["0.2"],
}


@hypothesis.settings(deadline=None, max_examples=15)
@given(st.fixed_dictionaries({}, optional={k: st.sampled_from(v) for k, v in CHANGES.items()}))
def test_the_command_line_asks_for_the_same(settings):
    draft = Draft(source="a seed.jpg", preset="gentle", motion=("spin", "zoom"), settings=settings)
    caught = []

    def zoom(seed, out, found, **_):
        caught.append((seed, list(found.motion), flat(found.tree())))
        return out

    before, films.zoom = films.zoom, zoom
    try:
        made = call_cli(*draft.words()[1:], "-o", "none.mp4")
    finally:
        films.zoom = before
    assert made.returncode == 0, made.stderr
    assert caught == [(Path("a seed.jpg"), ["spin", "zoom"], flat(draft.resolved().tree()))]


def test_the_toml_asks_for_the_same(tmp_path):
    settings = {name: values[0] for name, values in CHANGES.items()}
    draft = Draft(preset="gentle", motion=("spin", "zoom"), settings=settings)
    path = tmp_path / "draft.toml"
    path.write_text(draft.toml())
    assert films.settings_for("gentle", path) == draft.resolved()
    assert list(films.settings_for("gentle", path).motion) == ["spin", "zoom"]


@pytest.mark.parametrize(
    "tree",
    [
        {"source": "../seed.jpg"},
        {"source": "/etc/passwd"},
        {"source": ".hidden"},
        {"out": "a/b.mp4"},
        {"out": "C:\\film.mp4"},
        {"command": "train"},
        {"preset": "/tmp/own.toml"},
        {"preset": "../own.toml"},
        {"settings": {"plugins": '["own.py"]'}},
        {"settings": {"plugins.x": "own.py"}},
        {"settings": {"video.mask": "/etc/passwd"}},
        {"settings": {"video.mask": "a/../../b.png"}},
        {"settings": {"audio.files": '["drums=/home/a/b.wav"]'}},
        {"settings": {"audio.files": '["~/b.wav"]'}},
        {"settings": {"network.weights": '{a = ["../w.pth"]}'}},
        {"settings": {"film.frames": 3}},
        {"settings": {"film": "3"}},
        {"unknown": 1},
        [],
    ],
)
def test_a_draft_stays_in_its_folder(tree):
    with pytest.raises(SettingsError) as caught:
        Draft.read(tree)
    assert "\n" not in str(caught.value)


def test_a_draft_is_read_back():
    draft = Draft("loop", None, None, "round.webp", "gentle", ("spin",), {"film.frames": "20"})
    assert Draft.read(json.loads(json.dumps(draft.tree()))) == draft
    assert Draft.read({}).resolved() == films.settings_for()


@given(st.text(max_size=90))
def test_uploads_have_names_that_are_plain(name):
    assert is_plain(f"{clean_stem(name)}.png")
    assert ident(name).isalnum()


def test_no_path_of_the_machine_is_told(tmp_path):
    place = Place(tmp_path / "films")
    said = place.private(f"{place.folder}/a.png: no; see /home/anna/x/y.pth or 4c/3b, 30000/1001")
    assert said == "a.png: no; see y.pth or 4c/3b, 30000/1001"


def test_flat_settings_are_texts():
    assert flat({"film": {"size": None, "depth": 8}, "motion": {"zoom": {"rate": "1.1"}}}) == {
        "film.size": "",
        "film.depth": "8",
        "motion.zoom.rate": "1.1",
    }


def test_without_its_libraries_one_line_says_what_to_install(monkeypatch, tmp_path):
    for name in [name for name in sys.modules if name.startswith("dreamvid.studio.serving")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    told = call_cli("studio", tmp_path, "--no-browser")
    assert told.returncode == 2
    assert told.stderr.count("\n") == 1
    assert "pip install 'dreamvid[studio]'" in told.stderr


def test_the_server_does_not_import_torch():
    code = "import sys, dreamvid.studio.serving; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_folder_that_is_none_and_a_port_that_is_taken_are_told(server, tmp_path):
    told = call_cli("studio", tmp_path / "none", "--no-browser")
    assert (told.returncode, "no such folder" in told.stderr) == (2, True)
    told = call_cli("studio", tmp_path, "--port", server.port, "--no-browser")
    assert (told.returncode, "--port" in told.stderr) == (2, True)
    told = call_cli("studio", server.folder, "--port", "0", "--no-browser")
    assert (told.returncode, "another studio" in told.stderr) == (75, True)


def test_a_draft_is_checked_beside_its_settings(server):
    draft = {"source": "seed.jpg", "settings": {"octaves.count": "99"}}
    told = server.ask("POST", "/api/check", draft)
    assert told["error"].startswith("octaves.count: got 99")
    draft["settings"] = {"motion.zoom.rate": "0: (1.1), 1s: (-3)"}
    assert server.ask("POST", "/api/check", draft)["error"].startswith("motion.zoom.rate")
    draft["settings"] = {"loop.closing": "relaxation"}
    assert "belongs to" in server.ask("POST", "/api/check", draft)["error"]
    status, _, content = server.request("POST", "/api/films", draft)
    assert (status, json.loads(content)["error"][:12]) == (400, "loop.closing")


def test_curves_and_their_keys(server):
    settings = {"motion.zoom.rate": "0: (1.1), 1s: (1.5) smooth", "film.frames": "60"}
    draft = {"source": "seed.jpg", "settings": settings}
    told = server.ask("POST", "/api/curves", {"draft": draft, "names": ["motion.zoom.rate"]})
    (curve,) = told["curves"]
    assert [key["frame"] for key in curve["keys"]] == [0, 30]
    assert [key["easing"] for key in curve["keys"]] == ["linear", "smooth"]
    assert curve["values"][0] == [0, 1.1]
    assert curve["values"][15] == [15, 1.3]
    assert curve["values"][-1] == [59, 1.5]


def test_a_sketch_is_a_small_picture_that_is_kept(server):
    draft = {"source": "seed.jpg", "settings": {"octaves.count": "1", "ascent.iterations": "2"}}
    told = server.ask("POST", "/api/sketch", {"draft": draft})
    status, headers, content = server.request("GET", told["picture"])
    assert (status, headers["content-type"], content[:3]) == (200, "image/jpeg", b"\xff\xd8\xff")
    began = time.monotonic()
    assert server.ask("POST", "/api/sketch", {"draft": draft}) == told
    assert time.monotonic() - began < 1
    other = {**draft, "preset": "deep"}
    assert server.ask("POST", "/api/sketch", {"draft": other})["picture"] != told["picture"]
    missing = server.ask("POST", "/api/sketch", {"draft": {"source": "none.jpg"}})
    assert (missing["picture"], "none.jpg" in missing["error"]) == (None, True)


def test_layers_and_channels_are_told(server):
    told = server.ask("GET", "/api/layers?network=pocket")
    assert told["favourite"] in told["layers"]
    draft = {"source": "seed.jpg", "settings": SMALL}
    found = server.ask("POST", "/api/channels", {"draft": draft, "layer": told["layers"][0]})
    assert found["channels"] > 1
    cell = server.ask("POST", "/api/cell", {"draft": draft, "layer": f"{told['layers'][0]}:1"})
    assert server.request("GET", cell["picture"])[0] == 200


def test_a_film_is_stopped_goes_on_and_is_made_longer(server):
    name = server.begin("seed.jpg", 400)
    server.until("seed-zoom.mp4", lambda item: item["frames"] >= 2)
    server.ask("POST", f"/api/items/{name}/stop", {})
    stopped = server.until("seed-zoom.mp4", lambda item: item["state"] == "stopped")
    assert 2 <= stopped["frames"] < 400
    status = json.loads((server.folder / ".studio" / "films" / name / "status.json").read_text())
    assert status["exit"] == 130
    server.ask("POST", f"/api/items/{name}/encode", {})
    part = server.until("seed-zoom-part.mp4", lambda item: item["playable"])
    draft = server.ask("GET", f"/api/items/{part['id']}/draft")["draft"]
    assert draft["settings"]["film.frames"] == str(stopped["frames"])
    assert draft["settings"]["film.size"] == "96x64"
    length = stopped["frames"] + 2
    server.until("seed-zoom.mp4", lambda item: item["state"] == "stopped")
    server.ask("POST", f"/api/items/{name}/resume", {"frames": str(length)})
    whole = server.until("seed-zoom.mp4", lambda item: item["state"] == "done")
    assert (whole["frames"], whole["total"], whole["playable"]) == (length, length, True)
    gains = server.ask("GET", f"/api/items/{name}/journal?from=1")["frames"]
    assert [frame["index"] for frame in gains] == list(range(1, length))
    for path in ("strip", "picture?w=200", "frames/1?w=200"):
        assert server.request("GET", f"/api/items/{name}/{path}")[0] == 200
    status, headers, content = server.request("GET", f"/api/items/{name}/file", Range="bytes=0-9")
    assert (status, len(content), headers["content-range"][:9]) == (206, 10, "bytes 0-9")
    server.ask("DELETE", f"/api/items/{name}")
    assert not (server.folder / "seed-zoom.mp4.dream").exists()
    (gone,) = server.ask("GET", "/api/trash")["items"]
    server.ask("POST", f"/api/trash/{gone['id']}/restore", {})
    assert server.until("seed-zoom.mp4", lambda item: item["state"] == "done")["frames"] == length


def test_films_wait_for_each_other_and_one_that_is_killed_is_told(server):
    first = server.begin("seed.jpg", 5000, film__seed="1")
    second = server.begin("seed.jpg", 3, film__seed="2")
    third = server.begin("seed.jpg", 3, film__seed="3")
    names = server.names(first, second, third)
    server.until(names[first], lambda item: item["frames"] >= 1)
    waiting = [item for item in server.items().values() if item["state"] == "waiting"]
    assert len(waiting) == 2
    other = min(waiting, key=lambda item: item["order"])
    server.ask("POST", f"/api/items/{third}/move", {"before": other["id"]})
    server.until(names[third], lambda item: item["order"] < server.items()[other["name"]]["order"])
    status = server.folder / ".studio" / "films" / first / "status.json"
    os.kill(json.loads(status.read_text())["pid"], signal.SIGKILL)
    began = time.monotonic()
    killed = server.until(names[first], lambda item: item["state"] == "killed", 2)
    assert time.monotonic() - began < 2
    assert "resume" in killed["error"]
    server.until(names[third], lambda item: item["state"] == "done")
    assert server.items()[other["name"]]["state"] != "done"
    server.ask("DELETE", f"/api/items/{first}")


def test_a_film_outlives_its_server(tmp_path):
    shutil.copy(SEED, tmp_path / "seed.jpg")
    running = Server(tmp_path)
    name = running.begin("seed.jpg", 60)
    running.until("seed-zoom.mp4", lambda item: item["frames"] >= 1)
    running.end(signal.SIGKILL)
    frames = tmp_path / "seed-zoom.mp4.dream" / "frames"
    before = len(list(frames.glob("*.png")))
    with Server(tmp_path) as again:
        shown = again.until("seed-zoom.mp4", lambda item: item["state"] in ("making", "done"), 10)
        assert shown["id"] == name
        whole = again.until("seed-zoom.mp4", lambda item: item["state"] == "done")
        assert whole["frames"] == 60 > before


def test_a_live_dream_outlives_its_server_and_its_end_is_told(tmp_path):
    camera(tmp_path / "camera.avi")
    asked = {"source": "camera.avi", "presets": ["default"], "settings": SMALL, "osc": 0}
    running = Server(tmp_path)
    running.ask("POST", "/api/live", asked)
    told = running.until_live(lambda told: told["state"] == "running")
    assert told["osc"] > 0
    assert running.request("POST", "/api/live", asked)[0] == 400
    running.end(signal.SIGKILL)
    with Server(tmp_path) as again:
        now = again.until_live(lambda told: told["state"] == "running", 10)
        assert now["frames"] >= told["frames"]
        status, headers, parts = first_parts(again, 3)
        assert status == 200
        assert headers["content-type"].startswith("multipart/x-mixed-replace")
        assert len(set(parts)) == 3
        with socket.socket(type=socket.SOCK_DGRAM) as sender:
            sender.sendto(message("/dreamvid/strength", 3.0), ("127.0.0.1", now["osc"]))
        again.until_live(lambda told: told["strength"] == 3)
        status = json.loads((tmp_path / ".studio" / "live" / "status.json").read_text())
        os.kill(status["pid"], signal.SIGKILL)
        assert (
            "start it again" in again.until_live(lambda told: told["state"] == "killed", 2)["error"]
        )
        again.ask("POST", "/api/live", asked)
        again.until_live(lambda told: told["state"] == "running")
        again.ask("DELETE", "/api/live")
        off = again.until_live(lambda told: told["state"] == "off")
        assert "stopped" in off["said"][-1]
        gone = again.request("POST", "/api/live", {**asked, "source": "none.avi"})
        assert (gone[0], b"no longer" in gone[2]) == (400, True)


def first_parts(server, count):
    """The first pictures of the live stream."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", "/api/live/stream", headers={"Host": server.host})
    answer, parts = connection.getresponse(), []
    while len(parts) < count:
        while not (line := answer.readline()).startswith(b"Content-Length"):
            assert line
        answer.readline()
        parts.append(answer.read(int(line.split()[1])))
    connection.close()
    return answer.status, {name.lower(): text for name, text in answer.getheaders()}, parts


def test_a_camera_is_begun_on_its_own_machine_only():
    for host, here in (("127.0.0.1", True), ("::1", True), ("10.0.0.7", False), ("", False)):
        assert directing.is_here(Request({"type": "http", "client": (host, 1)})) is here
    assert not directing.is_here(Request({"type": "http", "client": None}))


def test_what_is_pressing_interrupts_what_is_drawn_for_long(server):
    long = {**SMALL, "film.size": "320x200", "ascent.iterations": "4000"}
    asked = {"draft": {"source": "seed.jpg", "settings": long}, "whole": True}
    small = {"source": "seed.jpg", "settings": {**SMALL, "film.seed": "77"}}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    headers = {"Host": server.host, "Origin": f"http://{server.host}"}
    headers["Content-Type"] = "application/json"
    connection.request("POST", "/api/sketch", json.dumps(asked), headers)
    time.sleep(0.5)
    assert server.ask("POST", "/api/sketch", {"draft": small})["picture"]
    assert select.select([connection.sock], [], [], 0)[0] == []
    # What nobody waits for any more is given up for what is no more pressing.
    connection.close()
    card = {"draft": {**small, "preset": "gentle"}, "for": "card"}
    began = time.monotonic()
    assert server.ask("POST", "/api/sketch", card)["picture"]
    assert time.monotonic() - began < 10


def test_a_loaded_draft_makes_the_same_film(server, tmp_path):
    shutil.copy(SEED, server.folder / "other.jpg")
    more = ["--set", "motion.zoom.rate=0: (1.1), 1s: (1.2)", "--motion", "zoom", "--frames", "3"]
    small = [word for name, text in SMALL.items() for word in ("--set", f"{name}={text}")]
    made = call_cli("zoom", "other.jpg", *more, *small, cwd=server.folder)
    assert made.returncode == 0, made.stderr
    item = server.until("other-zoom.mp4", lambda item: item["state"] == "done")
    draft = Draft.read(server.ask("GET", f"/api/items/{item['id']}/draft")["draft"])
    assert (draft.command, draft.source, draft.motion) == ("zoom", "other.jpg", ("zoom",))
    name = server.ask("POST", "/api/films", draft.tree())["id"]
    twin = server.until("other-zoom-2.mp4", lambda item: item["state"] == "done")
    assert twin["id"] == name
    frames = [sorted((server.folder / f"{each}.dream" / "frames").glob("*.png"))
              for each in ("other-zoom.mp4", "other-zoom-2.mp4")]  # fmt: skip
    assert len(frames[0]) == 3
    assert [path.read_bytes() for path in frames[0]] == [path.read_bytes() for path in frames[1]]


def test_an_error_of_a_draft_is_a_dreamvid_error():
    with pytest.raises(DreamvidError, match=r"octaves\.count"):
        Draft(settings={"octaves.count": "0"}).resolved()
