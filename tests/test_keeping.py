"""Titles, dates, chapters and subtitles of films that are dreamed over."""

import struct
import subprocess

import av
import imageio_ffmpeg
import pytest
from conftest import call_cli
from test_decoding import ffmpeg, made, numbers, read

from dreamvid import media

SMALL = ("--octaves", "1", "--size", "96x64", "--iterations", "0", "--set", "ascent.later=0")
CHAPTERS = """;FFMETADATA1
title=Große Oper; a \\= b
date=2021-03-04
[CHAPTER]
TIMEBASE=1/1000
START=0
END=1000
title=One
[CHAPTER]
TIMEBASE=1/1000
START=1000
END=2200
title=Zwei \\; zwei
[CHAPTER]
TIMEBASE=1/1000
START=2200
END=4000
"""
LINES = """1
00:00:00,200 --> 00:00:01,400
first <i>line</i>

2
00:00:01,500 --> 00:00:02,500
second, with
two lines

3
00:00:03,000 --> 00:00:03,800
third
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Four seconds at 10 a second, with a title, a date, three chapters and two subtitles."""
    folder = tmp_path_factory.mktemp("source")
    made(folder / "plain.mkv", 40, rate="10")
    (folder / "meta").write_text(CHAPTERS, "utf-8")
    (folder / "a.srt").write_text(LINES, "utf-8")
    path = folder / "film.mkv"
    ffmpeg("-i", folder / "plain.mkv", "-i", folder / "a.srt", "-i", folder / "a.srt",
           "-f", "ffmetadata", "-i", folder / "meta", "-map", 0, "-map", 1, "-map", 2,
           "-map_metadata", 3, "-map_chapters", 3, "-c", "copy", "-c:s:1", "ass",
           "-metadata:s:s:0", "language=deu", "-metadata:s:s:1", "title=Signs",
           "-metadata", "creation_time=2021-03-04T05:06:07Z", path)  # fmt: skip
    return path


def dreamt(source, out, *options):
    result = call_cli("video", source, "-o", out, *SMALL, "--overwrite", *options)
    assert result.returncode == 0, result.stderr
    return result.stderr


def told(path, *arguments):
    """What ffmpeg says of a film: chapters and words, or a subtitle."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", path, *arguments, "-"]
    return subprocess.run(list(map(str, command)), capture_output=True, check=True).stdout.decode()


def chapters(path):
    """(start in ms, end, title)"""
    found = []
    for body in told(path, "-f", "ffmetadata").split("[CHAPTER]")[1:]:
        values = dict(line.split("=", 1) for line in body.strip().splitlines() if "=" in line)
        base = eval(values["TIMEBASE"]) * 1000
        times = [round(int(values[key]) * base) for key in ("START", "END")]
        found.append((*times, values.get("title", "")))
    return found


def subtitle(path, number=0):
    text = told(path, "-map", f"0:s:{number}", "-f", "srt").replace("\r", "")
    return [block.split("\n", 2)[1:] for block in text.strip().split("\n\n") if "-->" in block]


@pytest.mark.parametrize("suffix", ["mp4", "m4v", "mov", "mkv", "webm"])
def test_title_date_chapters_and_subtitles_are_kept(tmp_path, source, suffix):
    out = tmp_path / f"a.{suffix}"
    said = dreamt(source, out)
    words = media.read_metadata(out)
    assert words["title"] == "Große Oper; a = b"
    assert words["date"].startswith("2021-03-04")
    assert words["creation_time"].startswith("2021-03-04T05:06:07")
    assert words["comment"].startswith('{"dreamvid"')
    assert chapters(out) == [(0, 1000, "One"), (1000, 2200, "Zwei \\; zwei"), (2200, 4000, "")]
    for number in (0, 1):
        lines = subtitle(out, number)
        assert [line[0] for line in lines] == [
            "00:00:00,200 --> 00:00:01,400", "00:00:01,500 --> 00:00:02,500",
            "00:00:03,000 --> 00:00:03,800",
        ]  # fmt: skip
        assert "second, with\ntwo lines" in lines[1][1]
    assert "lost" not in said
    assert "left out" not in said
    film, frames, _ = read(out)
    assert (film.rate, film.frames) == (10, 40)
    assert numbers(frames) == list(range(40))


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm"])
def test_of_a_part_those_of_the_part_are_kept(tmp_path, source, suffix):
    out = tmp_path / f"a.{suffix}"
    dreamt(source, out, "--start", "1.2s", "--end", "3.4s")
    assert chapters(out) == [(0, 1000, "Zwei \\; zwei"), (1000, 2200, "")]
    lines = subtitle(out)
    assert [line[0] for line in lines] == [
        "00:00:00,000 --> 00:00:00,200", "00:00:00,300 --> 00:00:01,300",
        "00:00:01,800 --> 00:00:02,200",
    ]  # fmt: skip
    assert len(read(out)[1]) == 22


@pytest.mark.parametrize("name", ["a.gif", "a.avi", "a.y4m", "out", "o.%03d.png"])
def test_what_cannot_be_kept_is_named(tmp_path, source, name):
    said = dreamt(source, tmp_path / name, "--frames", "3")
    (line,) = [each for each in said.splitlines() if "cannot keep" in each]
    for word in ("chapters", "subtitles (deu, subrip)", "subtitles (Signs, ass)"):
        assert word in line
    assert ("its title, its date" in line) == (name != "a.avi")
    if name == "a.avi":
        assert media.read_metadata(tmp_path / name)["title"] == "Große Oper; a = b"


def test_a_film_with_nothing_says_nothing(tmp_path):
    path = made(tmp_path / "a.mp4", 3)
    assert "keep" not in dreamt(path, tmp_path / "b.gif")
    assert "keep" not in dreamt(path, tmp_path / "b.mp4")


def test_encode_keeps_what_still_fits(tmp_path, source):
    dreamt(source, tmp_path / "a.mp4")
    job, out = tmp_path / "a.mp4.dream", tmp_path / "b.mkv"
    assert call_cli("encode", job, "-o", out, "--start", "1s").returncode == 0
    assert chapters(out)[0] == (0, 1200, "Zwei \\; zwei")
    assert subtitle(out)[1][0] == "00:00:00,500 --> 00:00:01,500"
    result = call_cli("encode", job, "-o", tmp_path / "c.mkv", "--reverse")
    assert "no longer fit" in result.stderr
    assert not chapters(tmp_path / "c.mkv")
    assert media.read_metadata(tmp_path / "c.mkv")["title"] == "Große Oper; a = b"


def test_an_mp4_s_own_subtitles_and_sound(tmp_path, source):
    path = tmp_path / "in.mp4"
    ffmpeg("-i", source, "-f", "lavfi", "-i", "sine=duration=4", "-map", 0, "-map", 1, "-c:v",
           "copy", "-c:a", "aac", "-c:s", "mov_text", path)  # fmt: skip
    for suffix in ("mp4", "mkv"):
        out = tmp_path / f"out.{suffix}"
        said = dreamt(path, out)
        assert len(chapters(out)) == 3
        assert subtitle(out)[2][0] == "00:00:03,000 --> 00:00:03,800"
        assert media.probe(out).sound == "aac"
        assert "lost" not in said


def pictured(path):
    """A Blu-ray subtitle, a picture that is seen from 0.5 to 1.5 s."""

    def segment(seconds, kind, body):
        times = struct.pack(">II", round(90000 * seconds), 0)
        return b"PG" + times + struct.pack(">BH", kind, len(body)) + body

    def shown(seconds, objects):
        body = struct.pack(">HHBHBBBB", 96, 64, 16, objects, 128, 0, 0, objects)
        return segment(seconds, 0x16, body + struct.pack(">HBBHH", 0, 0, 0, 4, 4) * objects)

    window = segment(0.5, 0x17, struct.pack(">BBHHHH", 1, 0, 4, 4, 8, 2))
    palette = segment(0.5, 0x14, bytes([0, 0, 1, 235, 128, 128, 255]))
    rows = (b"\1" * 8 + b"\0\0") * 2
    head = struct.pack(">HBB", 0, 0, 0xC0) + (len(rows) + 4).to_bytes(3, "big")
    drawn = segment(0.5, 0x15, head + struct.pack(">HH", 8, 2) + rows)
    ends = [segment(seconds, 0x80, b"") for seconds in (0.5, 1.5)]
    path.write_bytes(shown(0.5, 1) + window + palette + drawn + ends[0] + shown(1.5, 0) + ends[1])
    return path


@pytest.mark.parametrize(("suffix", "kept"), [("mkv", True), ("mp4", False)])
def test_subtitles_that_are_pictures(tmp_path, source, suffix, kept):
    path, out = tmp_path / "in.mkv", tmp_path / f"out.{suffix}"
    ffmpeg("-i", source, "-i", pictured(tmp_path / "a.sup"), "-map", "0:v", "-map", "1", "-map",
           "0:s:0", "-c", "copy", path)  # fmt: skip
    said = dreamt(path, out)
    assert ("hdmv_pgs_subtitle" in said) == (not kept)
    with av.open(out) as film:
        codecs = [stream.codec_context.name for stream in film.streams.subtitles]
    assert codecs == (["pgssub", "srt"] if kept else ["mov_text"])
    assert subtitle(out, len(codecs) - 1)[2][0] == "00:00:03,000 --> 00:00:03,800"
    said = dreamt(path, out, "--end", "2s")
    assert "hdmv_pgs_subtitle" in said


def test_a_film_that_begins_late_on_its_own_clock(tmp_path, source):
    path, out = tmp_path / "late.mkv", tmp_path / "out.mp4"
    ffmpeg("-itsoffset", 10, "-i", source, "-map", 0, "-c", "copy", path)
    assert media.probe(path).origin == 10
    dreamt(path, out)
    assert subtitle(out)[1][0] == "00:00:01,500 --> 00:00:02,500"
    assert chapters(out)[1] == (1000, 2200, "Zwei \\; zwei")
    dreamt(path, tmp_path / "out.mkv")
    assert subtitle(tmp_path / "out.mkv")[1][0] == "00:00:01,500 --> 00:00:02,500"
