"""Fetching published weights: https only, resumable, hashed before they take their name."""

import http.client
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from dreamvid.errors import NetworkError
from dreamvid.machine.hashing import file_hash
from dreamvid.media.atomic import storage_checked
from dreamvid.media.locking import locked
from dreamvid.networks.weights.reading import SIZE_CAP
from dreamvid.networks.weights.store import Source, hub_folder, pin

TIMEOUT = 60.0
"""Seconds without a byte after which a server is given up."""
CHUNK = 1 << 20


def fetch(
    source: Source,
    name: str,
    *,
    cap: int = SIZE_CAP,
    say: Callable[[str], None] = lambda text: None,
) -> Path:
    """Fetch the file of `source`, which the network `name` needs, and return where it is kept.

    What has come of it lies in ``FILE.part`` until it is whole and has the right SHA-256; a later
    call goes on from there.

    Raises:
        NetworkError: It cannot be reached, is cut off, is too large or is another file.
        StorageError: The disk is full or read-only.
    """
    if not source.url.startswith("https://"):
        raise NetworkError(f"{name}: {source.url}: not https, so anyone could change it on its way")
    path = hub_folder() / source.file
    with storage_checked(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    mark = path.with_name(f"{path.name}.part.mark")
    with locked(path.parent):
        _download(source.url, name, part, mark, cap, say)
        sha256 = file_hash(part)
        sha1 = file_hash(part, "sha1") if source.sha1 else ""
        if not sha256.startswith(source.sha256) or sha1 != source.sha1:
            part.unlink()
            raise NetworkError(
                f"{name}: {source.url}: another file than the published one: "
                f"{_digests(sha256, sha1)}, expected {_digests(source.sha256, source.sha1)}; "
                "it was deleted"
            )
        with storage_checked(path):
            with part.open("rb+") as stream:
                os.fsync(stream.fileno())
            part.replace(path)
            mark.unlink(missing_ok=True)
        if len(source.sha256) < 64:
            pin(path, sha256)
            say(f"SHA-256 {sha256}: {source.known} known beforehand; pinned from now on")
    return path


def _download(
    url: str, name: str, part: Path, mark: Path, cap: int, say: Callable[[str], None]
) -> None:
    """Bring `part` to its full length; `mark` says which version of the file it is of."""
    have = part.stat().st_size if part.exists() and mark.exists() else 0
    headers = {"User-Agent": "dreamvid", "Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": mark.read_text("ascii", "replace")}
    request = urllib.request.Request(url, headers=headers)
    begun = False
    try:
        with _opener().open(request, timeout=TIMEOUT) as answer:
            begun = True
            resumed = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(
                f"bytes {have}-"
            )
            have = have if resumed else 0
            length = answer.headers.get("Content-Length", "")
            total = have + int(length) if length.isdecimal() and len(length) < 16 else None
            if total is not None and total > cap:
                raise NetworkError(f"{name}: {url}: {_size(total)}, more than {_size(cap)} allowed")
            with storage_checked(part), part.open("ab" if resumed else "wb", buffering=0) as stream:
                if version := answer.headers.get("ETag") or answer.headers.get("Last-Modified"):
                    mark.write_text(version, "ascii", "replace")
                else:
                    mark.unlink(missing_ok=True)
                say(f"{url}: {'going on at ' + _size(have) if resumed else _size(total)}")
                _copy(answer, stream, have, cap, name, url)
            have = part.stat().st_size
        if total is not None and have < total:
            raise http.client.IncompleteRead(b"", total - have)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:
            part.unlink(missing_ok=True)
        raise NetworkError(
            f"{name}: {url}: the server says {error.code} {error.reason}; "
            "run it again, or save the file yourself and pass it with --weights"
        ) from error
    except (http.client.HTTPException, urllib.error.URLError, OSError) as error:
        reason = " ".join(str(getattr(error, "reason", None) or error).split())[:120]
        remedy = "run it again" if begun else f"save it in {part.parent} yourself"
        if part.exists() and mark.exists():
            remedy = f"{_size(part.stat().st_size)} are kept, run it again to go on"
        raise NetworkError(
            f"{name}: {url}: {'cut off' if begun else 'cannot be reached'} ({reason}); "
            f"{remedy}, or pass --weights FILE"
        ) from error


def _copy(
    answer: http.client.HTTPResponse, stream, have: int, cap: int, name: str, url: str
) -> None:
    # As it comes, so that what a kill leaves is what had come.
    while chunk := answer.read1(CHUNK):
        have += len(chunk)
        if have > cap:
            Path(stream.name).unlink()
            raise NetworkError(f"{name}: {url}: more than {_size(cap)} allowed")
        stream.write(chunk)


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https alone."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        if not newurl.startswith("https://"):
            fp.close()
            raise NetworkError(f"{req.full_url}: sends on to {newurl[:120]}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    """Opens https, through a proxy where one is set, and nothing else: no file, no ftp, no http."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        _HttpsOnly(),
    ):
        opener.add_handler(handler)
    return opener


def _digests(sha256: str, sha1: str) -> str:
    return f"SHA-1 {sha1[:12]}…" if sha1 else f"SHA-256 {sha256[:12]}…"


def _size(count: int | None) -> str:
    return "of unknown size" if count is None else f"{count / 1e6:.1f} MB"
