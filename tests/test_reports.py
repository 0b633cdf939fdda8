"""Films as people have them: odd words, cropping, streams, rates and sounds."""

import struct
import subprocess
from fractions import Fraction

import imageio_ffmpeg
import numpy as np
import pytest
from conftest import call_cli, shared
from PIL import Image
from test_decoding import CORNERS, FLAT, TAGGED, corners, ffmpeg, made, numbers, quarters, read

from dreamvid import media
from dreamvid.errors import MediaError, SettingsError
from dreamvid.frames import Size

SMALL = ("--octaves", "1", "--size", "96x64", "--iterations", "0", "--frames", "4")

# ---- words that are not UTF-8 -------------------------------------------------------------------


def with_bytes(path, old, new):
    data = path.read_bytes()
    assert old in data
    assert len(old) == len(new)
    path.write_bytes(data.replace(old, new))
    return path


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("a.avi", ("-metadata", "title=Grosse Oper")),
        ("a.mp4", ("-metadata", "title=Grosse Oper", "-movflags", "+use_metadata_tags")),
        ("b.mp4", ("-metadata:s:v", "handler_name=Grosse Oper")),
        ("a.mkv", ("-metadata", "title=Grosse Oper")),
        ("a.flv", ("-metadata", "title=Grosse Oper")),
    ],
)
def test_words_in_any_encoding_are_no_reason_to_refuse_a_film(tmp_path, name, arguments):
    codec = ("-c:v", "flv", "-q:v", "2") if name.endswith("flv") else FLAT
    path = made(tmp_path / name, 5, *arguments, codec=codec)
    with_bytes(path, b"Grosse Oper", b"Gro\xdfe \xd6per ")
    film, frames, said = read(path)
    assert numbers(frames) == list(range(5))
    assert film.frames == 5
    assert not said
    assert isinstance(media.read_metadata(path), dict)


def test_a_latin_title():
    path = shared("media/reports/latin1_title.avi")
    film, frames, said = read(path)
    assert (film.frames, len(frames), said) == (8, 8, [])


def test_a_gif_comment_in_any_encoding(tmp_path):
    path = tmp_path / "a.gif"
    pictures = [Image.fromarray(quarters(index)) for index in (0, 9)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=100)
    data = path.read_bytes()
    comment = b"\x21\xfe\x09Gro\xdfe \xd6pe\x00"
    for at in (data.index(b"\x21\xf9"), len(data) - 1):  # before the pictures and at the end
        path.write_bytes(data[:at] + comment + data[at:])
        film, frames, said = read(path)
        assert (film.frames, len(frames), said) == (2, 2, [])
        media.check_whole(path, film)
        assert media.read_picture(path).shape == (3, 64, 96)


# ---- cropping that the container asks for -------------------------------------------------------


def boxed(data, start, end):
    while start < end:
        size, kind = struct.unpack(">I4s", data[start : start + 8])
        yield kind, start, size
        start += size


def with_clean_aperture(path, width, height, right=0, down=0):
    """The MP4 at `path`, whose moov stands last, with a clap box in its sample entry."""
    data = path.read_bytes()
    clap = struct.pack(">I4s8i", 40, b"clap", width, 1, height, 1, right, 1, down, 1)
    parents, start, end = [], 0, len(data)
    for name in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"):
        at, size = next((at, size) for kind, at, size in boxed(data, start, end) if kind == name)
        parents.append((at, size))
        start, end = at + 8 + (8 if name == b"stsd" else 0), at + size
    out = bytearray(data[:end] + clap + data[end:])
    for at, size in parents:
        out[at : at + 4] = struct.pack(">I", size + 40)
    path.write_bytes(out)


@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_a_clean_aperture_is_cut_out(tmp_path, suffix):
    path = made(tmp_path / f"a.{suffix}", 4, "-movflags", "-faststart")
    with_clean_aperture(path, 72, 48, 12, 8)  # all but what is left and above
    film, frames, _ = read(path)
    assert film.size == Size(48, 72)
    assert frames[0].shape == (48, 72, 3)
    assert np.abs(frames[0].astype(int) - quarters(0)[16:, 24:]).mean() < 4
    turned = tmp_path / f"turned.{suffix}"
    ffmpeg("-display_rotation", 90, "-i", path, "-c", "copy", turned)
    if media.probe(turned).rotation:
        with_clean_aperture(turned, 72, 48, 12, 8)
        film, frames, _ = read(turned)
        assert film.size == Size(72, 48)
        expected = np.rot90(quarters(0)[16:, 24:])
        assert np.abs(frames[0].astype(int) - expected).mean() < 4


def element(name, body):
    length = (len(body) | 1 << 56).to_bytes(8, "big")
    return name.to_bytes((name.bit_length() + 7) // 8, "big") + length + body


def elements(data):
    """The elements of a Matroska file's part: name and body."""
    at = 0
    while at < len(data):
        width = 9 - data[at].bit_length()
        name, at = int.from_bytes(data[at : at + width], "big"), at + width
        width = 9 - data[at].bit_length()
        size = int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1)
        yield name, data[at + width : at + width + size]
        at += width + size


SEGMENT, TRACKS, ENTRY, VIDEO = 0x18538067, 0x1654AE6B, 0xAE, 0xE0
TOP, BOTTOM, LEFT, RIGHT, WIDE, HIGH = 0x54BB, 0x54AA, 0x54CC, 0x54DD, 0x54B0, 0x54BA


def with_cropping(path, **sides):
    """The Matroska film at `path` with PixelCrop and, perhaps, a size to be shown at."""

    def changed(name, body):
        if name == VIDEO:
            body = b"".join(
                element(n, b) for n, b in elements(body) if n not in (WIDE, HIGH, 0x54B2)
            )
            for key, value in sides.items():
                body += element(globals()[key], value.to_bytes(2, "big"))
        elif name in (SEGMENT, TRACKS, ENTRY):
            left_out = (0x114D9B74, 0x1C53BB6B, 0xEC)  # tables of where things are
            body = b"".join(changed(n, b) for n, b in elements(body) if n not in left_out)
        return element(name, body)

    path.write_bytes(b"".join(changed(n, b) for n, b in elements(path.read_bytes())))


@pytest.mark.parametrize(
    ("sides", "size"),
    [
        ({"TOP": 16}, Size(48, 96)),
        ({"LEFT": 24, "RIGHT": 8}, Size(64, 64)),
        ({"TOP": 8, "BOTTOM": 8, "LEFT": 16, "RIGHT": 16}, Size(48, 64)),
        ({"TOP": 16, "BOTTOM": 16, "WIDE": 192, "HIGH": 32}, Size(32, 192)),
    ],
)
def test_the_cropping_of_matroska_is_cut_off(tmp_path, sides, size):
    path = made(tmp_path / "a.mkv", 4)
    with_cropping(path, **sides)
    film, frames, said = read(path)
    assert film.size == size
    assert not said
    top, left = sides.get("TOP", 0), sides.get("LEFT", 0)
    cut = quarters(0)[top : 64 - sides.get("BOTTOM", 0), left : 96 - sides.get("RIGHT", 0)]
    cut = np.repeat(cut, size.width // cut.shape[1], axis=1)
    assert np.abs(frames[0].astype(int) - cut).mean() < 6


def test_a_cropped_report():
    film, frames, _ = read(shared("media/reports/crop.mkv"))
    assert film.size == Size(160, 320)
    assert frames[0].shape == (160, 320, 3)


# ---- which stream -------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_the_film_is_taken_and_not_its_preview(tmp_path, suffix):
    still, film_, path = tmp_path / "s.png", tmp_path / "f.mp4", tmp_path / f"a.{suffix}"
    Image.fromarray(quarters(40, 32, 48)).save(still)
    made(film_, 30)
    ffmpeg("-i", still, "-i", film_, "-map", 0, "-map", 1, "-c:v:0", "mjpeg", "-c:v:1", "copy",
           "-disposition:v:0", "default", path)  # fmt: skip
    film, frames, _ = read(path)
    assert film.size == Size(64, 96)
    assert numbers(frames) == list(range(30))


def test_of_two_films_the_default_is_taken_and_the_other_named(tmp_path):
    made(tmp_path / "a.mp4", 12, height=32, width=48)
    made(tmp_path / "b.mp4", 12)
    path = tmp_path / "both.mkv"
    ffmpeg("-i", tmp_path / "a.mp4", "-i", tmp_path / "b.mp4", "-map", 0, "-map", 1, "-c", "copy",
           "-disposition:v:0", 0, "-disposition:v:1", "default", path)  # fmt: skip
    film = media.probe(path)
    assert film.size == Size(64, 96)
    (line,) = film.remarks
    assert "48x32" in line
    assert "left out" in line


def test_an_animated_avif_is_a_film(tmp_path):
    path = tmp_path / "a.avif"
    pictures = []
    for index in range(5):
        rgba = np.dstack([quarters(index), np.full((64, 96), 255, np.uint8)])
        rgba[:, :24, 3] = 0
        pictures.append(Image.fromarray(rgba))
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=80, quality=95)
    film, frames, said = read(path, background=(0, 0, 255))
    assert (film.rate, film.frames, film.size) == (Fraction(25, 2), 5, Size(64, 96))
    assert numbers(frames) == list(range(5))
    assert np.abs(corners(frames[0])[0, 0] - (0, 0, 255)).max() <= 6
    assert np.abs(corners(frames[0])[0, 1] - CORNERS[0, 1]).max() <= 12
    assert not said
    assert not media.is_still(path)


def test_the_star_is_a_film():
    film, frames, _ = read(shared("media/reports/star.avifs"))
    assert (film.rate, len(frames), film.size) == (25, 5, Size(159, 159))
    assert len({frame.tobytes() for frame in frames}) == 4  # the last is one of the others


# ---- pictures in order, each once ---------------------------------------------------------------


@pytest.mark.parametrize(
    "codec",
    [
        ("-c:v", "libx264", "-bf", "3", "-crf", "8", "-g", "20"),
        ("-c:v", "libx264", "-bf", "2", "-crf", "8", "-x264-params", "b-pyramid=none:open-gop=1"),
        ("-c:v", "libx265", "-x265-params", "log-level=error:crf=8:bframes=4", "-tag:v", "HEVC"),
        ("-c:v", "mpeg4", "-bf", "2", "-q:v", "2"),
        ("-c:v", "libx264", "-bf", "0", "-crf", "8"),
    ],
)
def test_pictures_of_avi_come_in_order_each_once(tmp_path, codec):
    path = made(tmp_path / "a.avi", 30, codec=codec)
    film, frames, said = read(path, strict=True)
    assert (film.frames, film.rate) == (30, 25)
    assert numbers(frames) == list(range(30))
    assert not said
    media.check_whole(path, film)
    part = list(media.decoded(path, film, start=13, count=4))
    assert all(map(np.array_equal, part, frames[13:17]))


def test_places_that_an_avi_leaves_empty_repeat_the_picture_before(tmp_path):
    drop = f"select='not(between(n,9,13))',{TAGGED}"
    path = made(tmp_path / "a.avi", 30, "-vf", drop, "-fps_mode", "vfr",
                codec=("-c:v", "libx264", "-bf", "3", "-crf", "8"))  # fmt: skip
    film, frames, said = read(path)
    assert numbers(frames) == [8 if 9 <= n <= 13 else n for n in range(30)]
    assert film.rate == 25
    assert not said


# ---- rates --------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", ["250", "300", "1000", "480000/1001", "1/2", "1/4", "2/5", "1/10"])
@pytest.mark.parametrize("suffix", ["avi", "mp4", "mkv"])
def test_fast_and_slow_rates_stay_exact(tmp_path, rate, suffix):
    path = made(tmp_path / f"a.{suffix}", 9, rate=rate)
    film, frames, said = read(path)
    asked = Fraction(rate)
    exact = suffix != "mkv" or asked <= 250  # Matroska counts milliseconds
    assert film.rate == asked or not exact
    assert abs(film.duration - 9 / asked) <= Fraction(1, 500)
    assert numbers(frames) == list(range(9))
    assert not said


def test_a_slide_show_whose_last_picture_stays(tmp_path):
    pictures = [Image.fromarray(quarters(index)) for index in range(4)]
    for name, waits, rate, frames in (
        ("a.webp", [2000, 2000, 2000, 15000], Fraction(1), 21),
        ("b.webp", [2500, 2500, 2500, 15000], Fraction(2, 5), 9),
        ("a.gif", [40, 40, 40, 2000], Fraction(25), 53),
        ("a.png", [500, 500, 500, 20000], Fraction(2), 43),
    ):
        path = tmp_path / name
        pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=waits)
        film, found, said = read(path)
        assert (film.rate, film.frames, len(found)) == (rate, frames, frames), name
        assert film.duration == Fraction(sum(waits), 1000)
        assert not film.remarks
        assert not said
    pictures[0].save(
        tmp_path / "c.webp", save_all=True, append_images=pictures[1:], duration=[40, 40, 40, 9**6]
    )
    (line,) = media.probe(tmp_path / "c.webp").remarks
    assert "531 s" in line
    assert "60" in line


def test_pictures_that_nearly_meet_are_told_of(tmp_path):
    times = [0, 33, 34, 35, 68, 100]
    switch = "+".join(f"eq(N,{n})*{time}" for n, time in enumerate(times))
    arguments = ("-vf", f"settb=1/1000,setpts='{switch}',{TAGGED}", "-fps_mode", "passthrough")
    path = made(tmp_path / "a.mkv", 6, *arguments, "-enc_time_base", "1/1000")
    film, frames, _ = read(path)
    seen = set(numbers(frames))
    assert len(seen) == 6 or film.remarks
    if len(seen) < 6:
        assert f"{6 - len(seen)} of 6 pictures" in film.remarks[0]


def test_the_rate_that_is_asked_for_gives_as_many_frames_as_announced(tmp_path):
    times = np.cumsum([0, 33, 34, 33, 90])
    switch = "+".join(f"eq(N,{n})*{time}" for n, time in enumerate(times))
    arguments = ("-vf", f"settb=1/1000,setpts='{switch}',{TAGGED}", "-fps_mode", "passthrough")
    path = made(tmp_path / "a.mkv", 5, *arguments, "-enc_time_base", "1/1000")
    for rate in (Fraction(1000), Fraction(12), Fraction(1, 4)):
        film, frames, _ = read(path, rate=rate)
        assert len(frames) == film.frames_at(rate)
        assert abs(film.frames_at(rate) - film.duration * rate) <= 1


# ---- sounds -------------------------------------------------------------------------------------


def tone(frequency, channels=1):
    layout = "mono" if channels == 1 else "stereo"
    return ("-f", "lavfi", "-i", f"sine=frequency={frequency}:duration=1.2,aformat=cl={layout}")


def with_sounds(path, *frequencies, options=(), channels=1):
    made(path.with_name("silent.mp4"), 30)
    inputs = [item for frequency in frequencies for item in tone(frequency, channels)]
    maps = [item for n in range(len(frequencies) + 1) for item in ("-map", n)]
    ffmpeg("-i", path.with_name("silent.mp4"), *inputs, *maps, "-c:v", "copy", "-c:a", "aac",
           *options, path)  # fmt: skip
    return path


def pitches(path):
    """The strongest frequency of each channel of a film's sound, rounded to 10 Hz."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", path, "-map", "0:a:0", "-f",
               "f32le", "-ar", "8000", "-"]  # fmt: skip
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    channels = 2 if len(raw) > 1.7 * 4 * 8000 * 1.1 else 1
    wave = np.frombuffer(raw, "<f4").reshape(-1, channels)[800:8800]
    spectrum = np.abs(np.fft.rfft(wave, axis=0))
    return [round(int(peak) * 8000 / len(wave), -1) for peak in spectrum.argmax(axis=0)]


def dreamt(source, *options):
    out = source.with_name("out.mp4")
    result = call_cli("video", source, "-o", out, *SMALL[:-2], "--overwrite", *options)
    assert result.returncode == 0, result.stderr
    return out, result.stderr


def test_the_default_sound_is_kept_and_the_other_named(tmp_path):
    options = ("-metadata:s:a:0", "title=Commentary", "-metadata:s:a:1", "language=fra",
               "-disposition:a:0", "0", "-disposition:a:1", "default")  # fmt: skip
    path = with_sounds(tmp_path / "a.mkv", 440, 1000, options=options)
    assert [track.default for track in media.probe(path).tracks] == [False, True]
    out, told = dreamt(path)
    assert pitches(out) == [1000]
    assert "1 (Commentary, aac)" in told
    out, told = dreamt(path, "--sound-track", 1)
    assert pitches(out) == [440]
    assert "2 (fra, aac)" in told


def test_a_sound_that_is_not_there_is_refused(tmp_path):
    path = with_sounds(tmp_path / "a.mkv", 440, 1000)
    result = call_cli("video", path, "-o", tmp_path / "x.mp4", *SMALL, "--sound-track", 3)
    assert result.returncode == 2
    assert "got 3" in result.stderr
    assert not (tmp_path / "x.mp4").exists()
    with pytest.raises(SettingsError, match="none"):
        media.heard(path, (), 1)


@pytest.mark.parametrize("name", ["a.mov", "a.mkv"])
def test_two_mono_tracks_of_a_camera_are_left_and_right(tmp_path, name):
    path = with_sounds(tmp_path / name, 440, 1000)
    out, told = dreamt(path)
    assert pitches(out) == [440, 1000]
    assert "left and right" in told
    out, _ = dreamt(path, "--sound-track", 2)
    assert pitches(out) == [1000]


def test_what_is_set_apart_is_not_joined(tmp_path):
    options = ("-metadata:s:a:0", "language=deu", "-metadata:s:a:1", "language=fra")
    out, told = dreamt(with_sounds(tmp_path / "a.mkv", 440, 1000, options=options))
    assert pitches(out) == [440]
    assert "2 (fra, aac)" in told
    out, told = dreamt(with_sounds(tmp_path / "b.mkv", 440, 700, 1000))
    assert pitches(out) == [440]
    assert "2 (aac), 3 (aac)" in told
    out, told = dreamt(with_sounds(tmp_path / "c.mkv", 440))
    assert pitches(out) == [440]
    assert "sound" not in told


def test_the_sounds_of_a_report(tmp_path):
    path = shared("media/reports/two_audio.mkv")
    tracks = media.probe(path).tracks
    assert [track.default for track in tracks] == [False, True]
    assert "1 (Commentary, aac)" in media.heard(path, tracks)


# ---- other inputs -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "shown"),
    [("https://example.org/film.mp4?a=*&b=%04d", None), ("HTTP://example.org/a/b.png?x=1", "http"),
     ("rtmp://host/live", None), ("s3://bucket/shot.%04d.png", None),
     ("file:///home/a/clip.mp4", "give /home/a/clip.mp4")],
)  # fmt: skip
@pytest.mark.parametrize("command", ["video", "zoom", "image"])
def test_addresses_are_to_be_downloaded_first(tmp_path, address, shown, command):
    suffix = "png" if command == "image" else "mp4"
    result = call_cli(command, address, "-o", f"out.{suffix}", cwd=tmp_path)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert (shown or address) in line
    assert address.startswith("file") or "download it first" in line
    assert not list(tmp_path.iterdir())


def test_a_result_cannot_be_an_address(tmp_path):
    path = made(tmp_path / "a.mp4", 2)
    result = call_cli("video", path, "-o", "https://example.org/a.mp4", *SMALL)
    (line,) = result.stderr.splitlines()
    assert "https://example.org/a.mp4: is an address" in line


def shown_at(path, place):
    out = path.with_name("z.png")
    still = ("--iterations", "0", "--octaves", "1", "--overwrite")
    result = call_cli("image", path, "--at", place, "-o", out, *still)
    assert result.returncode == 0, result.stderr
    (number,) = numbers([np.asarray(Image.open(out))])
    return number


def test_a_time_gives_the_picture_that_is_shown_then(tmp_path):
    pictures = [Image.fromarray(quarters(index)) for index in range(8)]
    even, odd = tmp_path / "a.gif", tmp_path / "b.gif"
    pictures[0].save(even, save_all=True, append_images=pictures[1:], duration=500)
    for place, number in (("0:02.6", 5), ("2.5s", 5), ("2.49s", 4), ("5", 5), ("0s", 0)):
        assert shown_at(even, place) == number, place
    waits = [40, 40, 900, 30, 700, 40, 40, 250]
    pictures[0].save(odd, save_all=True, append_images=pictures[1:], duration=waits)
    begins = np.cumsum([0, *waits])
    for number in range(8):
        for time in (begins[number], (begins[number] + begins[number + 1]) // 2):
            assert shown_at(odd, f"{time / 1000:.3f}s") == number
        assert shown_at(odd, f"{begins[number + 1] / 1000 - 0.001:.3f}s") == number
    (line,) = call_cli("image", odd, "--at", f"{sum(waits) / 1000}s").stderr.splitlines()
    assert "before the end" in line


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_a_time_in_a_film_of_uneven_pictures(tmp_path, suffix):
    begins = [0, 40, 80, 1000, 1030, 3000, 3333, 12000, 14000]
    switch = "+".join(f"eq(N,{n})*{time}" for n, time in enumerate(begins))
    arguments = ("-vf", f"settb=1/1000,setpts='{switch}',{TAGGED}", "-fps_mode", "passthrough")
    path = made(tmp_path / f"a.{suffix}", 9, *arguments, "-enc_time_base", "1/1000")
    for number, time in enumerate(begins):
        assert shown_at(path, f"{time / 1000:.3f}s") == number
        if number:
            assert shown_at(path, f"{(time - 5) / 1000:.3f}s") == number - 1


def test_a_heic_sequence_without_a_picture_of_its_own(tmp_path):
    codec = ("-c:v", "libx265", "-x265-params", "log-level=error:crf=8", "-tag:v", "hvc1")
    data = made(tmp_path / "a.mp4", 6, codec=codec, rate="10").read_bytes()
    old = int.from_bytes(data[:4], "big")
    brands = struct.pack(">I8s4x12s", 28, b"ftypmsf1", b"msf1hevcmif1")
    rest = bytearray(data[old:].replace(b"vide", b"pict"))
    table = rest.index(b"stco") + 8
    for at in range(table + 4, table + 4 + 4 * int.from_bytes(rest[table : table + 4], "big"), 4):
        moved = int.from_bytes(rest[at : at + 4], "big") + len(brands) - old
        rest[at : at + 4] = moved.to_bytes(4, "big")
    path = tmp_path / "a.heics"
    path.write_bytes(brands + rest)
    film, frames, said = read(path)
    assert (film.rate, film.size, numbers(frames), said) == (10, Size(64, 96), [*range(6)], [])
    assert not media.is_still(path)
    first = (media.read_picture(path).permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    assert numbers([first]) == [0]


@pytest.mark.parametrize(
    ("name", "data", "word"),
    [("a.mp4", b"\0\0\0\x18ftypisom" + bytes(200), "breaks off"),
     ("a.mkv", b"text " * 99, "expected MP4"),
     ("a.mp4", b"#EXTM3U\n#EXTINF:10,\nb.mp4\n", "playlist"),
     ("a.mkv", b"\x1a\x45\xdf\xa3" + bytes(99), "breaks off")],
)  # fmt: skip
def test_what_is_no_film_is_said_in_our_words(tmp_path, name, data, word):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(MediaError, match=word) as caught:
        media.probe(tmp_path / name)
    assert "Invalid data" not in str(caught.value)


def test_settings_that_an_editor_began_with_a_mark(tmp_path):
    """Notepad writes three bytes before UTF-8, and ends its lines in two."""
    made(tmp_path / "a.mp4", 4)
    (tmp_path / "a.toml").write_bytes(b"\xef\xbb\xbf[film]\r\nfps = 5\r\n")
    chosen = ("--config", tmp_path / "a.toml")
    result = call_cli("video", tmp_path / "a.mp4", "-o", tmp_path / "b.mp4", *SMALL[:-2], *chosen)
    assert result.returncode == 0, result.stderr
    assert media.probe(tmp_path / "b.mp4").rate == 5
