"""Fetching weights from a real server on this computer, over https with a certificate made here."""

import hashlib
import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
import torch

from dreamvid.cli import main
from dreamvid.errors import JobLockedError, NetworkError, StorageError
from dreamvid.media.locking import locked
from dreamvid.networks import network
from dreamvid.networks.weights import Source, fetch, hub_folder, kept, pinned
from dreamvid.networks.weights.store import PINS, check

CONTENT = bytes(range(256)) * 1000
SHA256, SHA1 = hashlib.sha256(CONTENT).hexdigest(), hashlib.sha1(CONTENT).hexdigest()
HALF = len(CONTENT) // 2


class Server(BaseHTTPRequestHandler):
    """Serves CONTENT, in as many ways as there are paths."""

    asked: ClassVar[list[tuple[str, str | None]]] = []
    hold = threading.Event()
    plain_port = 0

    def do_GET(self):
        path, span = self.path.strip("/").rpartition("/")[0], self.headers.get("Range")
        self.asked.append((path, span))
        if hasattr(self, f"serve_{path}"):
            getattr(self, f"serve_{path}")(span)
        else:
            self.send_error(404)

    def answer(self, body, status=200, length=None, **headers):
        self.send_response(status)
        if length != "":
            self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def rest(self, span, version='"one"'):
        start = int(span.removeprefix("bytes=").removesuffix("-"))
        whole = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
        self.answer(CONTENT[start:], 206, Content_Range=whole, ETag=version)

    def serve_whole(self, span):
        self.rest(span) if span else self.answer(CONTENT, ETag='"one"')

    def serve_cut(self, span):
        if span:
            return self.rest(span)
        return self.answer(CONTENT[:HALF], length=len(CONTENT), ETag='"one"')

    def serve_unmarked(self, span):
        first = self.asked.count(("unmarked", None)) == 1
        self.answer(CONTENT[:HALF] if first else CONTENT, length=len(CONTENT))

    def serve_changed(self, span):
        if span and self.headers.get("If-Range") == '"two"':
            return self.rest(span)
        version = '"old"' if self.asked.count(("changed", None)) == 1 and not span else '"two"'
        body = bytes(HALF) if version == '"old"' else CONTENT
        return self.answer(body, length=len(CONTENT), ETag=version)

    def serve_slow(self, span):
        if span:
            return self.rest(span)
        self.answer(CONTENT[:HALF], length=len(CONTENT), ETag='"one"')
        self.wfile.flush()
        self.hold.wait(60)
        return None

    def serve_huge(self, span):
        self.answer(b"", length=10**12)

    def serve_endless(self, span):
        self.answer(b"", length="")
        while True:
            self.wfile.write(bytes(100_000))

    def serve_moved(self, span):
        port = self.server.server_address[1]
        self.answer(b"", 302, Location=f"https://localhost:{port}/whole/net.pth")

    def serve_downgraded(self, span):
        self.answer(b"", 302, Location=f"http://localhost:{self.plain_port}/whole/net.pth")

    def serve_local(self, span):
        self.answer(b"", 302, Location="file:///etc/hostname")

    def log_message(self, format, *args):
        pass


class Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Clients that go away are part of the tests."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    if not shutil.which("openssl"):
        pytest.skip("needs openssl to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command += ["-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / "cert.pem"


@pytest.fixture
def url(certificate, tmp_path, monkeypatch):
    """Addresses on a server that is trusted, for an empty cache."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    secure, plain = Quiet(("localhost", 0), Server), Quiet(("localhost", 0), Server)
    secure.socket = context.wrap_socket(
        secure.socket, server_side=True, do_handshake_on_connect=False
    )
    Server.asked, Server.hold = [], threading.Event()
    Server.plain_port = plain.server_address[1]
    threads = []
    for server in (secure, plain):
        threads.append(threading.Thread(target=server.serve_forever, args=(0.01,)))
        threads[-1].start()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("no_proxy", "localhost")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    yield lambda path: f"https://localhost:{secure.server_address[1]}/{path}/net.pth"
    Server.hold.set()
    for server, thread in zip((secure, plain), threads, strict=True):
        server.shutdown()
        thread.join()
        server.server_close()


def refused(url, words, **known):
    with pytest.raises(NetworkError) as caught:
        fetch(Source(url, "ours", **known), "net", cap=10**6)
    line = str(caught.value)
    assert words in line
    assert "\n" not in line
    assert line.startswith(("net: ", url))
    assert not (hub_folder() / "net.pth").exists()
    return line


def left():
    return sorted(path.name for path in hub_folder().iterdir() if path.name != "lock")


def test_a_file_is_fetched_and_kept(url):
    said = []
    path = fetch(Source(url("whole"), "ours", SHA256), "net", say=said.append)
    assert path == hub_folder() / "net.pth"
    assert path.read_bytes() == CONTENT
    assert left() == ["net.pth"]
    assert said == [f"{url('whole')}: 0.3 MB"]
    assert kept("net", [Source(url("whole"), "ours", SHA256)]) == path
    assert not pinned(path)


@pytest.mark.parametrize(
    ("known", "words"),
    [
        ({}, "nothing"),
        ({"sha256": SHA256[:8]}, "the first 8 digits"),
        ({"sha1": SHA1}, "its SHA-1"),
    ],
)
def test_what_is_not_wholly_known_is_pinned_and_said(url, known, words):
    said = []
    path = fetch(Source(url("whole"), "ours", **known), "net", say=said.append)
    assert said[-1] == f"SHA-256 {SHA256}: {words} known beforehand; pinned from now on"
    assert pinned(path) == SHA256
    path.write_bytes(CONTENT[:-1] + b"!")
    with pytest.raises(NetworkError, match=r"not what they were: SHA-256 \w{12}…, expected "):
        kept("net", [Source(url("whole"), "ours", **known)])


@pytest.mark.parametrize(
    "known", [{"sha256": "0" * 64}, {"sha256": "01234567"}, {"sha1": "0" * 40}]
)
def test_another_file_than_the_published_one_is_deleted(url, known):
    line = refused(url("whole"), "another file than the published one", **known)
    ((kind, digits),) = known.items()
    kind = {"sha1": "SHA-1", "sha256": "SHA-256"}[kind]
    assert line.endswith(f"expected {kind} {digits[:12]}…; it was deleted")
    assert "net.pth.part" not in left()


def test_a_cut_connection_is_gone_on_with(url):
    line = refused(url("cut"), "cut off")
    assert line.endswith("0.1 MB are kept, run it again to go on, or pass --weights FILE")
    assert (hub_folder() / "net.pth.part").read_bytes() == CONTENT[:HALF]
    said = []
    path = fetch(Source(url("cut"), "ours", SHA256), "net", say=said.append)
    assert path.read_bytes() == CONTENT
    assert said == [f"{url('cut')}: going on at 0.1 MB"]
    assert Server.asked == [("cut", None), ("cut", f"bytes={HALF}-")]
    assert left() == ["net.pth"]


def test_a_file_that_changed_meanwhile_is_begun_anew(url):
    refused(url("changed"), "cut off")
    assert fetch(Source(url("changed"), "ours"), "net").read_bytes() == CONTENT
    assert Server.asked == [("changed", None), ("changed", f"bytes={HALF}-")]


def test_a_file_of_no_version_is_begun_anew(url):
    refused(url("unmarked"), "cut off")
    assert fetch(Source(url("unmarked"), "ours", SHA256), "net").read_bytes() == CONTENT
    assert Server.asked == [("unmarked", None)] * 2


def test_a_killed_download_is_gone_on_with(url):
    code = (
        "import sys; from dreamvid.networks.weights import Source, fetch; "
        "fetch(Source(sys.argv[1], 'ours'), 'net')"
    )
    process = subprocess.Popen([sys.executable, "-c", code, url("slow")], env=dict(os.environ))
    part = hub_folder() / "net.pth.part"
    limit = time.monotonic() + 60
    while time.monotonic() < limit and not (part.exists() and part.stat().st_size == HALF):
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert part.read_bytes() == CONTENT[:HALF]
    assert fetch(Source(url("slow"), "ours", SHA256), "net").read_bytes() == CONTENT
    assert Server.asked == [("slow", None), ("slow", f"bytes={HALF}-")]
    assert left() == ["net.pth"]


def test_a_redirect_is_followed_over_https_alone(url):
    assert fetch(Source(url("moved"), "ours", SHA256), "net").read_bytes() == CONTENT
    (hub_folder() / "net.pth").unlink()
    line = refused(url("downgraded"), "which is not https")
    assert f"sends on to http://localhost:{Server.plain_port}/whole/net.pth" in line
    refused(url("local"), "")
    assert [path for path, _ in Server.asked] == ["moved", "whole", "downgraded", "local"]


def test_plain_http_is_not_even_tried(url):
    refused(f"http://localhost:{Server.plain_port}/whole/net.pth", "not https")
    assert Server.asked == []


def test_a_body_larger_than_allowed(url):
    refused(url("huge"), "1000000.0 MB, more than 1.0 MB allowed")
    refused(url("endless"), "more than 1.0 MB allowed")
    assert "net.pth.part" not in left()


def test_a_server_that_says_no(url):
    refused(url("missing"), "the server says 404 Not Found")


def test_a_server_that_is_not_trusted(url, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    refused(url("whole"), "certificate verify failed")


def test_no_server_at_all(url):
    line = refused("https://localhost:9/net.pth", "cannot be reached")
    assert line.endswith(f"save it in {hub_folder()} yourself, or pass --weights FILE")


def test_a_name_that_would_leave_the_folder(url):
    for name in ("..", ".hidden", "a%2f..%2fb", "a" * 300):
        with pytest.raises(NetworkError, match="no plain file name at its end"):
            fetch(Source(url("whole").replace("net.pth", name), "ours"), "net")
    assert Source("https://x/a/../../b.pth?c=/d", "ours").file == "b.pth"
    assert Server.asked == []


def test_two_downloads_do_not_meet(url):
    hub_folder().mkdir(parents=True)
    with locked(hub_folder()), pytest.raises(JobLockedError, match="another run is at work here"):
        fetch(Source(url("whole"), "ours"), "net")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to the superuser")
def test_a_read_only_cache(url):
    hub_folder().mkdir(parents=True)
    hub_folder().chmod(0o500)
    with pytest.raises(StorageError, match="make room there or choose another folder"):
        fetch(Source(url("whole"), "ours"), "net")


def test_a_full_disk_ends_in_one_line(url):
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "from dreamvid.networks.weights import Source, fetch; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "from dreamvid.errors import StorageError\n"
        "try: fetch(Source(sys.argv[1], 'ours'), 'net')\n"
        "except StorageError as error: print(error)"
    )
    command = [sys.executable, "-c", code, url("whole")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("cannot write net.pth.part in ")
    assert not (hub_folder() / "net.pth").exists()
    assert fetch(Source(url("whole"), "ours", SHA256), "net").read_bytes() == CONTENT


def test_damaged_pins_are_not_passed_over(url):
    source = Source(url("whole"), "ours")
    path = fetch(source, "net")
    for text in ("{", "[]", json.dumps({"net.pth": "short"}), "[" * 100_000):
        (hub_folder() / PINS).write_text(text)
        with pytest.raises(NetworkError, match="damaged; delete it"):
            check(path, source, "net")


@pytest.fixture
def squeezed(tmp_path, monkeypatch):
    """A cache with a file in it under the name of squeezenet's published weights."""
    import torchvision.models

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    hub_folder().mkdir(parents=True)
    torch.manual_seed(5)
    path = hub_folder() / "made.pth"
    torch.save(torchvision.models.squeezenet1_1(weights=None).state_dict(), path)
    return path


def test_published_weights_are_used_when_their_name_tells_the_truth(squeezed, monkeypatch):
    from dreamvid.networks.torchvision import classifier as classifiers

    name = f"squeezenet1_1-{hashlib.sha256(squeezed.read_bytes()).hexdigest()[:8]}.pth"
    squeezed.rename(hub_folder() / name)
    with pytest.raises(
        NetworkError, match=r"`dreamvid weights fetch squeezenet`, or save https://"
    ):
        network("squeezenet")
    false = hub_folder() / "squeezenet1_1-b8a52dc0.pth"
    false.write_bytes((hub_folder() / name).read_bytes())
    with pytest.raises(NetworkError, match=r"not what they were: SHA-256 \w+…, expected b8a52dc0…"):
        network("squeezenet")
    source = Source(f"https://localhost/{name}", "ours", name[14:22])
    monkeypatch.setattr(classifiers, "sources", lambda _: (source,))
    net = network("squeezenet")
    assert net.weights_path == hub_folder() / name
    assert pinned(hub_folder() / name) == net.weights_sha256
    assert net.classes[291] == "lion"


@pytest.fixture
def command(tmp_path, monkeypatch, capfd):
    """`dreamvid ARGUMENTS` with an empty cache and no way out: its status and what it said."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://localhost:9")

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["dreamvid", *arguments])
        with pytest.raises(SystemExit) as done:
            main()
        out, err = capfd.readouterr()
        return done.value.code, out, err

    return run


def test_the_commands(command):
    def weights(*arguments):
        return command("weights", *arguments)

    status, out, _ = weights("list")
    assert status == 0
    assert "not here  inception5h: " in out
    status, out, _ = weights("list", "inception5h")
    assert status == 0
    assert "inception5h: not here\n  https://storage.googleapis.com/" in out
    assert "Apache-2.0" in out
    assert weights("path") == (0, f"{hub_folder()}\n", "")
    for arguments, words in (
        (("fetch", "alexnet"), "cannot be reached"),
        (("fetch", "alexnet", "--offline"), "no weights; `dreamvid weights fetch alexnet`"),
        (("fetch", "pocket"), "inside the package"),
        (("verify", "alexnett"), "did you mean 'alexnet'"),
    ):
        status, out, err = weights(*arguments)
        assert (status, out) == (2, "")
        assert words in err
        assert len(err.splitlines()) == 1
    path = hub_folder() / "inception5h.pth"
    torch.save({}, path)
    assert weights("fetch", "inception5h", "--offline") == (0, f"{path}\n", "")
    assert weights("path", "inception5h") == (0, f"{path}\n", "")
    assert f"{path}: SHA-256 " in weights("verify")[1]
    path.write_bytes(b"altered")
    status, out, err = weights("verify")
    assert (status, out) == (2, "")
    assert "not what they were" in err


def test_layers_are_listed_without_weights(command):
    status, out, _ = command("list", "layers", "vgg16")
    assert status == 0
    assert "features.22  (favourite)" in out
    assert "relu4_3" in out
    assert command("list", "layers", "vgg16", "--weights", "none.pth") == (
        2,
        "",
        "dreamvid: vgg16: weights none.pth: no such file\n",
    )
