"""Films of every kind that people have, decoded as they are to be shown."""

import os
import subprocess
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
from conftest import shared
from PIL import Image

from dreamvid import media
from dreamvid.errors import MediaError
from dreamvid.frames import Size

WIDTH, HEIGHT = 96, 64
FLAT = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "4", "-threads", "1")
CORNERS = np.array([[[230, 20, 30], [20, 200, 40]], [[30, 40, 220], [240, 230, 20]]], np.uint8)
ORDINARY = ("plain", "ntsc", "late", "gapped", "mkv", "bframes")


def ffmpeg(*arguments, feed=None):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y"]
    if feed is not None:
        command.remove("-nostdin")
    subprocess.run([*command, *map(str, arguments)], check=True, input=feed, timeout=60)


def quarters(index, height=HEIGHT, width=WIDTH):
    """Four colours, one a quarter, and a number: the grey of a square in the middle."""
    rows = np.arange(height)[:, None] * 2 // height
    columns = np.arange(width)[None, :] * 2 // width
    pixels = CORNERS[rows, columns]
    grey = 20 + 4 * index
    pixels[height // 4 : 3 * height // 4, width // 4 : 3 * width // 4] = grey
    return pixels


def made(path, count, *arguments, rate="25", codec=FLAT, height=HEIGHT, width=WIDTH, before=()):
    """A film of `count` numbered pictures, yuv420p and tagged BT.709 unless told otherwise."""
    raw = b"".join(quarters(index, height, width).tobytes() for index in range(count))
    source = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", rate)
    colours = () if "-vf" in arguments or "-filter_complex" in codec else ("-vf", TAGGED)
    ffmpeg(*source, "-i", "pipe:0", *before, *colours, *codec, *arguments, path, feed=raw)
    return path


TAGGED = (
    "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd+full_chroma_int,"
    "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv,format=yuv420p"
)


def numbers(frames):
    """The numbers that frames of `quarters` carry."""
    found = []
    for frame in frames:
        height, width, _ = frame.shape
        top = np.iinfo(frame.dtype).max
        middle = frame[height // 2 - 4 : height // 2 + 4, width // 2 - 4 : width // 2 + 4]
        found.append(round((float(middle.mean()) / top * 255 - 20) / 4))
    return found


def corners(frame, inset=5):
    scale = np.iinfo(frame.dtype).max / 255
    picked = frame[[[inset, inset], [-inset, -inset]], [[inset, -inset], [inset, -inset]]]
    return picked / scale


def read(path, **options):
    said = []
    film = media.probe(path)
    frames = list(media.decoded(path, film, say=said.append, **options))
    return film, frames, said


@pytest.fixture(scope="session")
def clips(tmp_path_factory):
    """Ordinary films of 50 numbered pictures, each kept in another way."""
    folder = tmp_path_factory.mktemp("clips")
    gop = ("-g", "12")
    plain = made(folder / "plain.mp4", 50, *gop)
    made(folder / "ntsc.mp4", 50, *gop, rate="24000/1001")
    made(folder / "mkv.mkv", 50, *gop, rate="24000/1001")
    ffmpeg(
        "-i", plain, "-c", "copy", "-muxdelay", "0", "-output_ts_offset", "10", folder / "late.ts"
    )
    ffmpeg("-i", plain, "-c", "copy", folder / "raw.h264")
    drop = f"select='not(between(n,9,13)+eq(n,30))',{TAGGED}"
    made(folder / "gapped.mp4", 50, *gop, "-vf", drop, "-fps_mode", "vfr")
    better = ("-c:v", "libx264", "-preset", "medium", "-crf", "10", "-threads", "1")
    made(folder / "bframes.mp4", 50, "-x264-params", "open-gop=1:keyint=12", codec=better)
    return {path.stem: path for path in folder.iterdir()}


@pytest.mark.parametrize("name", ["plain", "ntsc", "late", "raw", "mkv", "bframes"])
def test_constant_films(clips, name):
    film, frames, said = read(clips[name])
    rate = Fraction(24000, 1001) if name in ("ntsc", "mkv") else Fraction(25)
    assert (film.rate, film.frames, film.size) == (rate, 50, Size(HEIGHT, WIDTH))
    assert film.duration == 50 / rate
    assert not film.variable
    assert not film.interlaced
    assert film.depth == 8
    assert film.sound is None
    assert numbers(frames) == list(range(50))
    assert not said
    assert np.abs(corners(frames[7]) - CORNERS).max() <= 6
    media.check_whole(
        clips[name],
        film,
    )


def test_every_picture_of_an_uneven_film_has_its_frame(clips):
    film, frames, said = read(clips["gapped"])
    assert (film.rate, film.frames, film.pictures) == (Fraction(25), 50, 44)
    assert film.variable
    expected = [8 if 9 <= n <= 13 else 29 if n == 30 else n for n in range(50)]
    assert numbers(frames) == expected
    assert not said


def test_a_film_on_no_grid_keeps_every_picture(tmp_path):
    times = np.cumsum([0, 33, 34, 200, 41, 42, 42, 21, 500, 17, 33, 33])
    switch = "+".join(f"eq(N,{n})*{time}" for n, time in enumerate(times))
    arguments = ("-vf", f"settb=1/1000,setpts='{switch}',{TAGGED}", "-fps_mode", "passthrough")
    path = made(tmp_path / "a.mkv", 12, *arguments, "-enc_time_base", "1/1000")
    film, frames, _ = read(path)
    assert film.variable
    assert 1 <= film.rate <= 240
    assert sorted(set(numbers(frames))) == list(range(12))
    assert len(frames) == film.frames
    firsts = [numbers(frames).index(n) for n in range(12)]
    for first, time in zip(firsts, times, strict=True):
        assert abs(first / film.rate - Fraction(int(time), 1000)) <= Fraction(1, 2) / film.rate


@pytest.mark.parametrize("rate", ["10", "24", "60", "30000/1001"])
@pytest.mark.parametrize("name", ["plain", "gapped"])
def test_another_rate_is_what_ffmpegs_fps_filter_makes(clips, name, rate, tmp_path):
    _, frames, _ = read(clips[name], rate=Fraction(rate))
    ffmpeg("-i", clips[name], "-vf", f"fps={rate}", "-f", "rawvideo", "-pix_fmt", "rgb24",
           tmp_path / "x")  # fmt: skip
    expected = np.fromfile(tmp_path / "x", np.uint8).reshape(-1, HEIGHT, WIDTH, 3)
    assert numbers(frames) == numbers(expected)


@pytest.mark.parametrize("name", [*ORDINARY, "raw"])
def test_a_part_is_that_part_of_the_whole(clips, name, monkeypatch):
    monkeypatch.setattr("dreamvid.media.decoding.EARLY", Fraction(1, 5))
    film, whole, _ = read(clips[name])
    for start, count in ((0, 1), (7, 5), (13, 1), (30, None), (49, 9), (50, 1)):
        part = list(media.decoded(clips[name], film, start=start, count=count))
        end = None if count is None else start + count
        assert len(part) == len(whole[start:end])
        assert all(map(np.array_equal, part, whole[start:end]))


@pytest.mark.parametrize("name", ["chaplin.mp4", "one_second_clip.mp4"])
def test_seeking_in_real_films_is_exact(name, monkeypatch):
    path = shared(f"media/{name}")
    monkeypatch.setattr("dreamvid.media.decoding.EARLY", Fraction(1, 4))
    film = media.probe(path)
    size = Size(90, 160)
    whole = list(media.decoded(path, film, size=size))
    assert len(whole) == film.frames
    for start in (film.frames // 3, film.frames - 3):
        part = list(media.decoded(path, film, size=size, start=start, count=2))
        assert all(map(np.array_equal, part, whole[start : start + 2]))


def test_seeking_does_not_decode_the_film_from_its_start(clips, monkeypatch):
    monkeypatch.setattr("dreamvid.media.decoding.EARLY", Fraction(1, 5))
    from dreamvid.media import decoding

    film = media.probe(clips["plain"])
    pictures = decoding._pictures(
        clips["plain"], film, film.size, Fraction(40, 25), (0, 0, 0), 1, 60
    )
    time, pixels, _ = next(pictures)
    pictures.close()
    assert time == Fraction(38, 25)
    assert numbers([pixels]) == [38]


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_turned_films_are_upright(clips, tmp_path, angle):
    path = tmp_path / "turned.mp4"
    ffmpeg("-display_rotation", angle, "-i", clips["plain"], "-c", "copy", path)
    film, frames, _ = read(path)
    turned = np.rot90(quarters(0), angle // 90)
    assert film.size == Size(*turned.shape[:2])
    assert frames[0].shape == turned.shape
    assert np.abs(corners(frames[0]) - corners(turned)).max() <= 6
    assert film.rotation == angle


def test_pixels_are_made_square_also_of_a_turned_film(clips, tmp_path):
    flat, turned = tmp_path / "flat.mp4", tmp_path / "turned.mp4"
    made(flat, 3, "-vf", f"{TAGGED},setsar=2/1")
    film, frames, _ = read(flat)
    assert film.size == Size(HEIGHT, 2 * WIDTH)
    assert frames[0].shape == (HEIGHT, 2 * WIDTH, 3)
    assert np.abs(corners(frames[0]) - CORNERS).max() <= 6
    ffmpeg("-display_rotation", 90, "-i", flat, "-c", "copy", turned)
    film, frames, _ = read(turned)
    assert film.size == Size(2 * WIDTH, HEIGHT)
    assert frames[0].shape == (2 * WIDTH, HEIGHT, 3)
    assert np.abs(corners(frames[0]) - np.rot90(CORNERS)).max() <= 6


def test_odd_sides(tmp_path):
    arguments = ("-vf", TAGGED.replace("yuv420p", "yuv444p"))
    film, frames, _ = read(made(tmp_path / "a.mp4", 3, *arguments, height=65, width=97))
    assert film.size == Size(65, 97)
    assert np.abs(corners(frames[2]) - CORNERS).max() <= 6


def test_another_size_is_antialiased(tmp_path):
    rows = (np.arange(240)[:, None] // 1 % 2 * 255).astype(np.uint8)
    fine = np.broadcast_to(rows[..., None], (240, 320, 3)).tobytes()
    path = tmp_path / "fine.mp4"
    ffmpeg("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "320x240", "-i", "pipe:0",
           "-vf", TAGGED.replace("yuv420p", "yuv444p"), *FLAT, path, feed=fine)  # fmt: skip
    _, frames, _ = read(path, size=Size(50, 70))
    assert frames[0].shape == (50, 70, 3)
    assert np.abs(frames[0][4:-4].astype(int) - 127).max() <= 12


def test_more_bits_stay(tmp_path):
    ramp = np.linspace(0, 65535, 64 * 96).reshape(64, 96).astype("<u2")
    raw = np.repeat(ramp[..., None], 3, 2).tobytes()
    path = tmp_path / "deep.mkv"
    ffmpeg("-f", "rawvideo", "-pix_fmt", "rgb48le", "-s", "96x64", "-i", "pipe:0", "-vf",
           TAGGED.replace("yuv420p", "yuv444p10le"), "-c:v", "ffv1", path, feed=raw)  # fmt: skip
    film, frames, _ = read(path)
    assert film.depth == 10
    assert frames[0].dtype == np.uint16
    assert np.abs(frames[0].astype(int)[..., 1] - ramp).max() <= 65535 / 700
    assert len(np.unique(frames[0])) > 600


# PQ and HLG signals of black, of an 18 % grey, of diffuse white, and of a highlight near
# 1000 cd/m², by ITU-R BT.2100 and BT.2408.
HDR = {"smpte2084": (0, 0.38, 0.58, 0.75), "arib-std-b67": (0, 0.38, 0.75, 1)}


@pytest.mark.parametrize("transfer", HDR)
def test_high_dynamic_range_looks_ordinary(tmp_path, transfer):
    levels = np.repeat(np.array(HDR[transfer]) * 65535, 24).astype("<u2")
    raw = np.broadcast_to(levels[None, :, None], (64, 96, 3)).tobytes()
    path = tmp_path / "hdr.mkv"
    tags = f"colorspace=bt2020nc:color_primaries=bt2020:color_trc={transfer}:range=tv"
    chain = f"scale=out_color_matrix=bt2020:out_range=tv,setparams={tags},format=yuv420p10le"
    ffmpeg("-f", "rawvideo", "-pix_fmt", "rgb48le", "-s", "96x64", "-i", "pipe:0",
           "-vf", chain, "-c:v", "ffv1", path, feed=raw)  # fmt: skip
    film, frames, _ = read(path)
    assert film.transfer in (16, 18)
    black, grey, white, bright = (
        frames[0][32, 12 + 24 * n].astype(float) / 65535 for n in range(4)
    )
    for shade in (black, grey, white, bright):
        assert np.ptp(shade) < 0.01
    assert black.max() < 0.02
    assert 0.30 < grey.mean() < 0.55
    assert 0.72 < white.mean() < 0.95
    assert white.mean() + 0.03 < bright.mean() <= 1


@pytest.mark.parametrize(("height", "matrix"), [(64, "bt601"), (720, "bt709")])
def test_films_that_name_no_matrix_are_taken_as_players_do(tmp_path, height, matrix):
    chain = f"scale=out_color_matrix={matrix}:out_range=tv:flags=accurate_rnd,format=yuv420p"
    chain += ",setparams=colorspace=unknown:color_primaries=unknown:color_trc=unknown"
    film, frames, _ = read(made(tmp_path / "a.mp4", 1, "-vf", chain, height=height))
    assert film.matrix == 2
    assert np.abs(corners(frames[0]) - CORNERS).max() <= 6


def test_full_range(tmp_path):
    chain = TAGGED.replace("out_range=tv", "out_range=pc").replace("range=tv", "range=pc")
    film, frames, _ = read(made(tmp_path / "a.mp4", 1, "-vf", chain))
    assert film.full_range
    assert np.abs(corners(frames[0]) - CORNERS).max() <= 6


def test_interlaced_films_lose_their_combs(tmp_path):
    # A bar that moves 8 pixels a field; each picture holds two fields.
    def field(index):
        pixels = np.full((64, 96, 3), 30, np.uint8)
        pixels[:, 4 + 8 * index : 12 + 8 * index] = 220
        return pixels

    woven = []
    for index in range(5):
        picture = field(2 * index)
        picture[1::2] = field(2 * index + 1)[1::2]
        woven.append(picture)
    path = tmp_path / "fields.mp4"
    raw = np.stack(woven).tobytes()
    ffmpeg("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "96x64", "-r", "25", "-i", "pipe:0", "-vf",
           TAGGED.replace("scale=", "scale=interl=1:") + ",setfield=tff", *FLAT,
           "-flags", "+ildct", "-x264-params", "tff=1", path, feed=raw)  # fmt: skip
    film, frames, said = read(path)
    assert film.interlaced
    assert (film.frames, len(frames), film.rate) == (5, 5, Fraction(25))
    assert not said

    def comb(pictures):
        return np.mean([np.abs(np.diff(each.astype(int), axis=0)).mean() for each in pictures])

    assert comb(frames) < 0.2 * comb(woven)
    for index, frame in enumerate(frames):
        assert np.abs(frame.astype(int) - field(2 * index)).mean() < 12


def test_an_edit_list_is_honoured(clips, tmp_path):
    path = tmp_path / "edited.mp4"
    ffmpeg("-ss", "0.52", "-i", clips["plain"], "-c", "copy", path)
    film, frames, said = read(path)
    assert (film.frames, len(frames)) == (37, 37)
    assert numbers(frames) == list(range(13, 50))
    assert not said
    media.check_whole(path, film)
    part = list(media.decoded(path, film, start=30))
    assert all(map(np.array_equal, part, frames[30:]))


def test_alpha_shows_black(tmp_path):
    rgba = np.dstack([quarters(0), np.full((HEIGHT, WIDTH), 255, np.uint8)])
    rgba[:32, :48, 3] = 0
    rgba[:32, 48:, 3] = 128
    still = tmp_path / "still.png"
    Image.fromarray(rgba).save(still)
    expected = CORNERS * np.array([[[0], [0.5]], [[1], [1]]])
    webp = tmp_path / "a.webp"
    second = Image.fromarray(np.ascontiguousarray(rgba[::-1]))
    Image.open(still).save(webp, save_all=True, append_images=[second], lossless=True, duration=40)
    for name, *codec in (
        ("a.apng", "-f", "apng"),
        ("a.mov", "-c:v", "prores_ks", "-profile:v", "4444", "-pix_fmt", "yuva444p10le"),
        ("a.webm", "-c:v", "libvpx-vp9", "-crf", "5", "-b:v", "0", "-pix_fmt", "yuva420p"),
    ):
        ffmpeg("-loop", 1, "-i", still, "-frames:v", 2, *codec, tmp_path / name)
    for name in ("a.apng", "a.mov", "a.webm", "a.webp"):
        film, frames, _ = read(tmp_path / name)
        assert film.alpha
        assert len(frames) == 2
        assert np.abs(corners(frames[0]) - expected).max() <= 12, name


def test_an_animated_webp(tmp_path):
    path = tmp_path / "a.webp"
    pictures = [Image.fromarray(quarters(index)) for index in range(6)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], lossless=True,
                     duration=[40, 40, 120, 40, 40, 40])  # fmt: skip
    film, frames, _ = read(path)
    assert numbers(frames) == [0, 1, 2, 2, 2, 3, 4, 5]
    assert film.rate == 25
    assert np.array_equal(frames[0], quarters(0))
    media.check_whole(path, film)
    assert len(list(media.decoded(path, film, start=3, count=2))) == 2


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.gif", ("-filter_complex", "split[a][b];[a]palettegen[c];[b][c]paletteuse=dither=none")),
        ("a.avi", ("-c:v", "mpeg4", "-q:v", "2", "-bf", "2")),
        ("a.mpg", ("-c:v", "mpeg2video", "-q:v", "2", "-bf", "2")),
        ("a.webm", ("-c:v", "libvpx", "-auto-alt-ref", "1", "-b:v", "2M", "-deadline", "good",
                    "-cpu-used", "5", "-lag-in-frames", "16")),
        ("a.flv", ("-c:v", "flv", "-q:v", "2")),
        ("a.ogv", ("-c:v", "libtheora", "-q:v", "10")),
        ("a.wmv", ("-c:v", "wmv2", "-q:v", "2")),
        ("a.hevc", ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params",
                    "log-level=error:crf=8")),
    ],
)  # fmt: skip
def test_other_containers(tmp_path, name, codec):
    film, frames, said = read(made(tmp_path / name, 30, codec=codec))
    assert (film.frames, film.rate) == (30, 25)
    assert numbers(frames) == list(range(30))
    assert not said


def test_two_video_streams_and_a_cover(clips, tmp_path):
    both, cover = tmp_path / "both.mp4", tmp_path / "cover.png"
    made(tmp_path / "small.mp4", 5, height=32, width=48)
    ffmpeg("-i", clips["plain"], "-i", tmp_path / "small.mp4", "-map", 0, "-map", 1, "-c", "copy",
           both)  # fmt: skip
    film, frames, _ = read(both)
    assert (film.size, len(frames)) == (Size(HEIGHT, WIDTH), 50)
    Image.fromarray(quarters(9)).save(cover)
    tone = ("-f", "lavfi", "-i", "sine=duration=0.2")
    song, covered = tmp_path / "song.m4a", tmp_path / "covered.mp4"
    ffmpeg(*tone, "-i", cover, "-map", 0, "-map", 1, "-disposition:v", "attached_pic", "-c:v",
           "copy", song)  # fmt: skip
    with pytest.raises(MediaError, match="only a cover"):
        media.probe(song)
    ffmpeg("-i", cover, "-i", clips["plain"], "-map", 0, "-map", 1, "-disposition:v:0",
           "attached_pic", "-c", "copy", covered)  # fmt: skip
    _, frames, _ = read(covered)
    assert numbers(frames) == list(range(50))


def test_a_change_of_resolution_keeps_the_size(tmp_path):
    made(tmp_path / "a.h264", 20)
    made(tmp_path / "b.h264", 20, height=128, width=192)
    joined = tmp_path / "joined.h264"
    joined.write_bytes((tmp_path / "a.h264").read_bytes() + (tmp_path / "b.h264").read_bytes())
    _, frames, said = read(joined)
    assert {frame.shape for frame in frames} == {(HEIGHT, WIDTH, 3)}
    assert numbers(frames) == [*range(20), *range(20)]
    assert not said


def test_one_frame(tmp_path):
    for name in ("a.mp4", "a.mkv", "a.gif"):
        codec = () if name == "a.gif" else FLAT
        film, frames, said = read(made(tmp_path / name, 1, codec=codec))
        assert (film.frames, len(frames)) == (1, 1)
        assert not said


@pytest.mark.parametrize("kind", ["mp4", "mkv", "fragmented"])
def test_a_missing_tail_is_told(tmp_path, kind):
    flags = {"mp4": "+faststart", "fragmented": "+frag_keyframe+empty_moov"}.get(kind)
    path = tmp_path / ("a.mkv" if kind == "mkv" else "a.mp4")
    made(path, 50, "-g", "10", *(("-movflags", flags) if flags else ()))
    media.check_whole(path, media.probe(path))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    film, frames, said = read(path)
    assert 15 <= len(frames) < 45
    assert numbers(frames[:-1]) == list(range(len(frames) - 1))  # the last is half a picture
    assert len(said) == 1
    assert "damaged" in said[0]
    assert str(len(frames)) in said[0]
    assert "\n" not in said[0]
    with pytest.raises(MediaError, match="damaged"):
        media.check_whole(path, film)
    with pytest.raises(MediaError, match="damaged"):
        list(media.decoded(path, film, strict=True))


def test_corrupt_bytes_are_counted_and_strictness_stops(clips, tmp_path):
    path = tmp_path / "corrupt.mp4"
    data = bytearray(clips["bframes"].read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    path.write_bytes(data)
    film, frames, said = read(path)
    assert len(frames) == 50
    assert len(said) == 1
    assert "complaint" in said[0]
    with pytest.raises(MediaError, match="damaged"):
        list(media.decoded(path, film, strict=True))
    with pytest.raises(MediaError, match="damaged"):
        media.check_whole(path, film)
    assert len(list(media.decoded(path, film, count=5, strict=True))) == 5


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("moovless.mp4", "breaks off"),
        ("text.mp4", "can be read"),
        ("list.mp4", "playlist"),
        ("playlist.mp4", "playlist"),
        ("empty.mp4", "empty"),
        ("tone.m4a", "no video"),
        ("frameless.mp4", "no video"),
        ("absent.mp4", "no such file"),
    ],
)
def test_what_is_no_film_is_refused_in_one_line(clips, tmp_path, name, word):
    path = tmp_path / name
    plain = clips["plain"]
    if name == "moovless.mp4":
        path.write_bytes(plain.read_bytes()[:3000])
    elif name == "text.mp4":
        path.write_text("no film\n" * 99)
    elif name == "list.mp4":
        (tmp_path / "other.mp4").write_bytes(plain.read_bytes())
        path.write_text("ffconcat version 1.0\nfile other.mp4\n")
    elif name == "playlist.mp4":
        (tmp_path / "other.ts").write_bytes(clips["late"].read_bytes())
        path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:2,\nother.ts\n#EXT-X-ENDLIST\n")
    elif name == "empty.mp4":
        path.write_bytes(b"")
    elif name == "tone.m4a":
        ffmpeg("-f", "lavfi", "-i", "sine=duration=0.2", path)
    elif name == "frameless.mp4":
        ffmpeg("-i", plain, "-c", "copy", "-frames:v", 0, path)
    with pytest.raises(MediaError, match=word) as caught:
        media.probe(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def children():
    """The ffmpegs that this process started. Other test processes decode too."""
    return {
        entry.name
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _parent(entry) == os.getpid() and _decodes(entry)
    }


def _parent(entry):
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def _decodes(entry):
    try:
        return b"-stats_enc_pre" in (entry / "cmdline").read_bytes()
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds ffmpeg in /proc")
def test_an_early_end_stops_ffmpeg(clips):
    before = children()
    film = media.probe(clips["plain"])
    frames = media.decoded(clips["plain"], film, size=Size(1080, 1920))
    next(frames)
    (started,) = children() - before
    frames.close()
    assert started not in children()


def test_a_hanging_ffmpeg_is_stopped(clips, tmp_path, monkeypatch):
    film = media.probe(clips["plain"])
    fake = tmp_path / "ffmpeg"
    fake.write_text("#!/bin/sh\nsleep 60\n")
    fake.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(fake))
    with pytest.raises(MediaError, match="stopped") as caught:
        list(media.decoded(clips["plain"], film, stall_seconds=0.3))
    assert "\n" not in str(caught.value)


def test_repeated_frames_come_of_one_picture(clips):
    film = media.probe(clips["plain"])
    frames = list(media.decoded(clips["plain"], film, rate=Fraction(50), count=10))
    assert sum(later is earlier for earlier, later in pairwise(frames)) == 5
