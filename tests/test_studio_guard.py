"""The studio against those who mean it harm: the right status, nothing written, no memory taken."""

import http.client
import json
import shutil
import socket
import time
from pathlib import Path

import pytest

pytest.importorskip("uvicorn", reason="needs dreamvid[studio]")
pytest.importorskip("starlette", reason="needs dreamvid[studio]")

from studio_server import Server

from dreamvid.studio import serving, uploads
from dreamvid.studio.guarding import HEADERS, Door

SEED = Path(__file__).parents[1] / "samples" / "seed.jpg"
SCRIPT = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
EVIL = "http://evil.example"
DRAFT = {"command": "zoom", "source": "seed.jpg"}
LIVE = {"source": "0", "presets": ["default"]}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    shutil.copy(SEED, folder / "seed.jpg")
    (folder.parent / "secret.png").write_bytes(SEED.read_bytes())
    with Server(folder) as running:
        running.until("seed.jpg", lambda item: True)
        running.ask("GET", "/api/schema")
        yield running


def id_of(server):
    return server.items()["seed.jpg"]["id"]


HOSTILE = [
    # What it is, method, path, body, headers, the statuses that are right.
    ("a path that climbs", "GET", "/../../../etc/passwd", None, {}, {404}),
    ("one that is quoted", "GET", "/%2e%2e/%2e%2e/etc/passwd", None, {}, {404}),
    ("one in the scripts", "GET", "/js/..%2f..%2f..%2fserving.py", None, {}, {404}),
    ("one with backslashes", "GET", "/js/..%5c..%5cserving.py", None, {}, {404}),
    ("an absolute one", "GET", "//etc/passwd", None, {}, {404}),
    ("an id that climbs", "GET", "/api/items/..%2f..%2fsecret.png/file", None, {}, {404}),
    ("an id of another folder", "GET", "/api/items/secret.png/file", None, {}, {404}),
    ("an id that is a name", "GET", "/api/items/seed.jpg/file", None, {}, {404}),
    ("a sketch that climbs", "GET", "/api/sketches/..%2f..%2fseed", None, {}, {404}),
    ("a frame below none", "GET", "/api/items/ID/frames/-1", None, {}, {404}),
    ("a frame past all", "GET", "/api/items/ID/frames/99999999999", None, {}, {404}),
    ("trash that climbs", "POST", "/api/trash/..%2f..%2fseed.jpg/restore", {}, {}, {404, 405}),
    ("another host", "GET", "/api/items", None, {"Host": "evil.example"}, {400}),
    ("another port", "GET", "/api/items", None, {"Host": "127.0.0.1:1"}, {400}),
    ("a host with a name in it", "GET", "/", None, {"Host": "a@127.0.0.1"}, {400}),
    ("no host", "GET", "/", None, {"Host": ""}, {400}),
    ("another origin", "POST", "/api/films", DRAFT, {"Origin": EVIL}, {403}),
    ("no origin", "POST", "/api/films", DRAFT, {"Origin": None}, {403}),
    ("the origin null", "POST", "/api/films", DRAFT, {"Origin": "null"}, {403}),
    ("an origin that begins alike", "DELETE", "/api/trash", None,
     {"Origin": "http://127.0.0.1.evil.example"}, {403}),
    ("another site that reads", "GET", "/api/items", None, {"Sec-Fetch-Site": "cross-site"}, {403}),
    ("another site that writes", "POST", "/api/films", DRAFT,
     {"Sec-Fetch-Site": "cross-site"}, {403}),
    ("a form", "POST", "/api/films", b"command=zoom",
     {"Content-Type": "application/x-www-form-urlencoded"}, {415}),
    ("text as JSON", "POST", "/api/films", b"{", {"Content-Type": "application/json"}, {400}),
    ("deep JSON", "POST", "/api/check", b"[" * 100_000, {"Content-Type": "application/json"},
     {400}),
    ("huge JSON", "POST", "/api/check", b" " * 500_000, {"Content-Type": "application/json"},
     {413}),
    ("a source outside", "POST", "/api/films", {**DRAFT, "source": "../secret.png"}, {}, {400}),
    ("code as a plugin", "POST", "/api/films", {**DRAFT, "settings": {"plugins.a": "x.py"}}, {},
     {400}),
    ("a mask outside", "POST", "/api/films",
     {**DRAFT, "settings": {"video.mask": "/etc/hostname"}}, {}, {400}),
    ("a film as large as a wall", "POST", "/api/films",
     {**DRAFT, "settings": {"film.size": "99999x99999"}}, {}, {400}),
    ("an expression that computes for ever", "POST", "/api/films",
     {**DRAFT, "settings": {"motion.zoom.rate": "9**9**9**9"}}, {}, {400}),
    ("a script as a picture", "PUT", "/api/uploads?name=a.svg", SCRIPT, {}, {400}),
    ("a script called PNG", "PUT", "/api/uploads?name=a.png", SCRIPT, {}, {400}),
    ("a page called JPEG", "PUT", "/api/uploads?name=a.jpg", b"<script>", {}, {400}),
    ("a playlist called MP4", "PUT", "/api/uploads?name=a.mp4", b"#EXTM3U\n/etc/passwd", {},
     {400}),
    ("nothing", "PUT", "/api/uploads?name=a.png", b"", {}, {400}),
    ("a name that climbs", "PUT", "/api/uploads?name=..%2f..%2fx.sh", b"x", {}, {400}),
    ("a length that fills the disk", "PUT", "/api/uploads?name=a.png", b"",
     {"Content-Length": str(10**15)}, {413}),
    ("a thousand ranges", "GET", "/api/items/ID/file", None,
     {"Range": "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 2000, 2))}, {416}),
    ("a range past the end", "GET", "/api/items/ID/file", None, {"Range": "bytes=9999999-"},
     {416}),
    ("a range that is none", "GET", "/api/items/ID/file", None, {"Range": "bytes=x"}, {400, 416}),
    ("a live film outside", "POST", "/api/live", {**LIVE, "source": "../secret.mp4"}, {}, {400}),
    ("a live stream of an address", "POST", "/api/live", {**LIVE, "source": "rtsp://evil"}, {},
     {400}),
    ("live weights outside", "POST", "/api/live",
     {**LIVE, "settings": {"network.weights": "/etc/passwd"}}, {}, {400}),
    ("a live dream from another origin", "POST", "/api/live", LIVE, {"Origin": EVIL}, {403}),
    ("a word for a dream that is none", "POST", "/api/live/say", {"word": "freeze"}, {}, {409}),
    ("a word that opens files", "POST", "/api/live/say",
     {"word": "network/weights", "value": "/etc/passwd"}, {}, {400}),
    ("a live picture where there is none", "GET", "/api/live/stream", None, {}, {409}),
    ("a wrong method", "DELETE", "/api/items", None, {}, {404, 405}),
]  # fmt: skip


def snapshot(server):
    return {
        path.relative_to(server.folder).as_posix()
        for path in server.folder.rglob("*")
        if "cache" not in path.parts and path.name != "worker.log"
    }


def test_hostile_requests_are_refused_and_write_nothing(server):
    before, name, wrong = snapshot(server), id_of(server), []
    for what, method, path, body, headers, right in HOSTILE:
        given = {key.replace("-", "_"): value for key, value in headers.items()}
        status, told, content = server.request(method, path.replace("ID", name), body, **given)
        if status not in right:
            wrong.append((what, status, content[:200]))
        assert b"Traceback" not in content, what
        assert str(server.folder).encode() not in content, what
        for header, value in HEADERS.items():
            assert told.get(header) == value or header == "content-security-policy", what
    assert wrong == []
    assert snapshot(server) == before
    assert len(HOSTILE) >= 30


def test_an_endless_upload_is_cut_off(monkeypatch, server):
    """Chunks without a length, more than there may be."""
    import asyncio

    from dreamvid.studio.places import Place

    monkeypatch.setattr(uploads, "LARGEST", 100_000)
    place = Place(server.folder)

    class Endless:
        headers = {}  # noqa: RUF012
        query_params = {"name": "a.png"}  # noqa: RUF012

        async def stream(self):
            while True:
                yield b"x" * 65_536

    taking = uploads.Uploads(place, None).take(Endless())
    with pytest.raises(uploads.RefusedError, match="at most") as caught:
        asyncio.run(taking)
    assert caught.value.status == 413
    assert not list(place.arriving.iterdir())


def test_slow_clients_are_left(monkeypatch, server):
    import asyncio

    monkeypatch.setattr(uploads, "PATIENCE", 0.05)

    class Slow:
        async def stream(self):
            yield b"x"
            await asyncio.sleep(5)

    async def read():
        async for _ in uploads.patient(Slow()):
            pass

    with pytest.raises(uploads.RefusedError, match="nothing more came") as caught:
        asyncio.run(read())
    assert caught.value.status == 408


def test_a_head_that_never_ends_is_closed(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        began = time.monotonic()
        assert slow.recv(100) == b""
        assert time.monotonic() - began < 2.5 * serving.PATIENCE


def test_fifty_pages_are_told_and_too_many_are_refused(server):
    open_pages = []
    statuses = []
    try:
        for _ in range(70):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            open_pages.append(connection)
            connection.request("GET", "/api/events", headers={"Host": server.host})
            answer = connection.getresponse()
            statuses.append(answer.status)
            if answer.status == 200:
                lines = [answer.readline() for _ in range(4)]
                assert b"event: items\n" in lines
        assert statuses[:50] == [200] * 50
        assert statuses.count(503) >= 1
        assert server.items()
    finally:
        for connection in open_pages:
            connection.close()


def resident(pid):
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines()
                if line.startswith("VmRSS"))  # fmt: skip
    return int(line.split()[1]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_memory_stays_flat_over_a_thousand_requests(server):
    name = id_of(server)
    paths = ["/", "/api/items", "/js/main.js", "/api/items/none/file"] * 5
    paths += [f"/api/items/{name}/picture?w=320"]
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)

    def ask(count):
        for number in range(count):
            connection.request("GET", paths[number % len(paths)], headers={"Host": server.host})
            connection.getresponse().read()

    ask(200)
    before = resident(server.process.pid)
    ask(1000)
    connection.close()
    grown = resident(server.process.pid) - before
    assert grown < 8_000_000, f"{grown / 1e6:.1f} MB more"


def test_others_need_the_token_once(tmp_path):
    shutil.copy(SEED, tmp_path / "seed.jpg")
    with Server(tmp_path, "--host", "0.0.0.0") as running:
        assert running.token
        assert running.request("GET", "/")[0] == 403
        assert running.request("GET", "/api/items")[0] == 403
        assert running.request("GET", "/?token=wrong")[0] == 403
        assert running.request("GET", f"/api/items?token={running.token}")[0] == 403
        status, told, _ = running.request("GET", f"/?token={running.token}")
        assert (status, told["location"]) == (303, "/")
        cookie = told["set-cookie"]
        assert "HttpOnly" in cookie
        assert "samesite=strict" in cookie.lower()
        jar = {"Cookie": cookie.partition(";")[0]}
        assert running.request("GET", "/api/items", **jar)[0] == 200
        assert running.request("GET", "/api/items", Host="evil.example", **jar)[0] == 400
        assert running.request("DELETE", "/api/trash", Origin=EVIL, **jar)[0] == 403
        assert running.request("DELETE", "/api/trash", **jar)[0] == 200


def test_a_door_knows_its_own_hosts_alone():
    local, wide = Door("127.0.0.1", 8765), Door("0.0.0.0", 80, "t")
    assert [local.knows(host) for host in ("127.0.0.1:8765", "localhost:8765", "[::1]:8765")] == [
        True,
        True,
        True,
    ]
    for host in ("", "127.0.0.1", "evil.example:8765", "127.0.0.1:8765/x", "10.0.0.7:8765"):
        assert not local.knows(host), host
    assert wide.knows("10.0.0.7")
    assert not wide.knows("evil.example")
    assert Door.on("127.0.0.1", 1).token is None
    assert len(Door.on("10.0.0.7", 1).token) > 20


def test_every_answer_forbids_what_the_page_does_not_need(server):
    for path in ("/", "/js/main.js", "/css/base.css", "/api/items", "/none"):
        _, told, _ = server.request("GET", path)
        assert told["content-security-policy"].startswith("default-src 'self'"), path
        assert told["x-content-type-options"] == "nosniff"
    page = Path(uploads.__file__).parent / "page"
    for path in page.rglob("*.*"):
        text = path.read_text("utf-8")
        foreign = [word for word in text.split() if "//" in word and "http" in word]
        assert not [word for word in foreign if "www.w3.org/2000/svg" not in word], path


def test_the_page_of_five_hundred_films_is_told_within_a_second(tmp_path):
    shutil.copy(SEED, tmp_path / "seed.jpg")
    film = {"frames": 12, "fps": "30", "size": "640x400"}
    manifest = {"format": 1, "kind": "zoom", "out": "x", "source": {"path": "/a/seed.jpg"},
                "settings": {"film": film}}  # fmt: skip
    line = json.dumps({"index": 0, "sha256": "0" * 64, "gain": 1.0, "seconds": 0.5}) + "\n"
    for number in range(500):
        job = tmp_path / f"film-{number:03}.mp4.dream"
        job.mkdir()
        (job / "job.json").write_text(json.dumps(manifest))
        (job / "journal.jsonl").write_text(line * 12)
    with Server(tmp_path) as running:
        running.until("film-499.mp4", lambda item: item["frames"] == 12)
        began = time.monotonic()
        for path in ("/", "/js/main.js", "/api/items"):
            assert running.request("GET", path)[0] == 200
        assert time.monotonic() - began < 1
        assert len(running.items()) == 501
