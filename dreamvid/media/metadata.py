"""Words kept inside pictures and films, in the way each format has for them."""

import html
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import av
from PIL import Image

from dreamvid.frames import Size
from dreamvid.media.exr import exr_comment
from dreamvid.media.formats import PNG_START, damaged, head_of, kind_of
from dreamvid.media.png import chunk, text_of
from dreamvid.media.streams import OPENED


def read_metadata(path: Path) -> dict[str, str]:
    """The words that `write_picture` or `encode` kept in a file; {} where there are none.

    Keys are in lower case. PNG, MP4, MOV and WebM keep every key they know, the others
    (APNG from `encode`, GIF, WebP, JPEG, TIFF, EXR) only ``comment``.

    Raises:
        MediaError: the file is missing, unreadable or of another kind.
    """
    head = head_of(path)
    try:
        if head.startswith(PNG_START):
            return _read_png_texts(path)
        if head.startswith(b"GIF8"):
            return _read_gif_comment(path)
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return _read_xmp(path)
        if kind_of(head) == "EXR":
            text = exr_comment(path).decode("utf-8", "replace")
            return {"comment": text} if text else {}
        if head.startswith((b"\xff\xd8", b"II*\0", b"MM\0*")):
            with Image.open(path, formats=["JPEG", "TIFF"]) as picture:
                found = picture.info.get("comment") or picture.getexif().get(270)
            text = found.decode("utf-8", "replace") if isinstance(found, bytes) else found
            return {"comment": str(text)} if text else {}
        with av.open(os.fspath(path), **OPENED) as film:
            words = {key.lower(): text for key, text in film.metadata.items()}
    except Exception as error:  # as in `read_picture`
        raise damaged(path, error) from error
    technical = ("major_brand", "minor_version", "compatible_brands", "encoder")
    return {key: text for key, text in words.items() if key not in technical}


def png_texts(metadata: Mapping[str, str]) -> bytes:
    """PNG chunks that hold `metadata`."""
    chunks = []
    for key, text in metadata.items():
        name = key.encode("latin-1", "replace")[:79]
        try:
            chunks.append(chunk(b"tEXt", name + b"\0" + text.encode("latin-1")))
        except UnicodeEncodeError:  # tEXt holds Latin-1 only
            chunks.append(chunk(b"iTXt", name + b"\0\0\0\0\0" + text.encode()))
    return b"".join(chunks)


def _read_png_texts(path: Path) -> dict[str, str]:
    words = {}
    with Path(path).open("rb") as file:
        file.seek(len(PNG_START))
        while len(start := file.read(8)) == 8:
            length, kind = int.from_bytes(start[:4], "big"), start[4:]
            if kind not in (b"tEXt", b"iTXt"):
                file.seek(length + 4, os.SEEK_CUR)
                continue
            found = text_of(kind, file.read(length))
            file.seek(4, os.SEEK_CUR)
            if found:
                words[found[0].lower()] = found[1]
    return words


def xmp(comment: str) -> bytes:
    """An XMP packet that holds `comment` as its description."""
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf='
        '"http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:description><rdf:Alt><rdf:li '
        f'xml:lang="x-default">{html.escape(comment)}</rdf:li></rdf:Alt></dc:description>'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    ).encode()


def _read_xmp(path: Path) -> dict[str, str]:
    with Image.open(path, formats=["WEBP"]) as picture:
        packet = picture.info.get("xmp", b"").decode("utf-8", "replace")
    found = re.search(r'<rdf:li xml:lang="x-default">(.*?)</rdf:li>', packet, re.DOTALL)
    return {"comment": html.unescape(found[1])} if found else {}


def _read_gif_comment(path: Path) -> dict[str, str]:
    with Path(path).open("rb") as file:
        file.seek(max(0, Path(path).stat().st_size - 1_000_000))
        tail = file.read()
    # Ours is the last block of the file and holds neither byte of this mark in this order.
    start = tail.rfind(b"\x21\xfe")
    if start < 0:
        return {}
    text, position = b"", start + 2
    while position < len(tail) and (length := tail[position]):
        text += tail[position + 1 : position + 1 + length]
        position += 1 + length
    # A picture may hold the same two bytes by chance; our comment ends where the file does.
    return {"comment": text.decode("utf-8", "replace")} if position + 2 == len(tail) else {}


def annotated(part: Path, size: Size, comment: str) -> None:
    """Put `comment` into a finished GIF, APNG or WebP: ffmpeg leaves it out of these."""
    with part.open("r+b") as file:
        head = file.read(32)
        if head.startswith(PNG_START):
            _inserted_before_end(file, 12, png_texts({"comment": comment}))
        elif head.startswith(b"GIF8"):
            text = comment.encode()
            blocks = [text[at : at + 250] for at in range(0, len(text), 250)]
            body = b"".join(bytes([len(block)]) + block for block in blocks)
            _inserted_before_end(file, 1, b"\x21\xfe" + body + b"\0")
        elif head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            file.seek(12)
            chunks = file.read()
            has_xmp = 4
            if chunks[:4] == b"VP8X":
                chunks = chunks[:8] + bytes([chunks[8] | has_xmp]) + chunks[9:]
            else:  # a single frame comes without the header that announces an XMP chunk
                sides = b"".join((side - 1).to_bytes(3, "little") for side in reversed(size))
                chunks = b"VP8X\x0a\0\0\0" + bytes([has_xmp, 0, 0, 0]) + sides + chunks
            packet = xmp(comment)
            chunks += b"XMP " + len(packet).to_bytes(4, "little") + packet
            chunks += b"\0" * (len(packet) % 2)
            file.seek(4)
            file.write((4 + len(chunks)).to_bytes(4, "little") + b"WEBP" + chunks)


def _inserted_before_end(file: BinaryIO, length: int, extra: bytes) -> None:
    file.seek(-length, os.SEEK_END)
    end = file.read()
    file.seek(-length, os.SEEK_END)
    file.write(extra + end)
